// A load server for the benchmarks: one thread, epoll, just enough HTTP/1.1 to answer chat completions as vLLM frames
// them. It ticks as an engine does: every stream of a group gets its next token at the group's tick.
//
//   load-server --itl-us 20833 --groups 50 --truth FILE     a token for each stream every itl-us
//   load-server --itl-us 0 --groups 1 --truth FILE          every answer at once, in one write
//
// Prints {"port":N}. GET /stats says how many requests were answered. On SIGTERM it writes one line for each request to
// the truth file: its X-Request-Id and the stamp (CLOCK_MONOTONIC, us) just before each write, and ends.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common.hpp"

namespace {

using bench::die;
using bench::nowUs;

constexpr int kMostTokens = 4096;
constexpr int kEventsPerWait = 256;
constexpr char kHead[] =
    "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
constexpr char kBeforeDelta[] =
    "{\"id\":\"chatcmpl-0123456789abcdef0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
    "\"model\":\"meta-llama/Llama-3.1-405B-Instruct-FP8\",\"choices\":[{\"index\":0,\"delta\":";
constexpr char kAfterDelta[] = ",\"logprobs\":null,\"finish_reason\":null,\"token_ids\":null}]}";
constexpr char kAfterLastDelta[] = ",\"logprobs\":null,\"finish_reason\":\"length\",\"token_ids\":null}]}";

volatile sig_atomic_t isStopping = 0;

std::string chunk(const std::string& data) {
  const std::string event = "data: " + data + "\n\n";
  char size[16];
  snprintf(size, sizeof size, "%zx\r\n", event.size());
  return size + event + "\r\n";
}

/** What is written, made once: the server's own cost must not be what is measured. */
class Answers {
 public:
  Answers()
      : token_(chunk(std::string(kBeforeDelta) + "{\"content\":\" token\"}" + kAfterDelta)),
        opening_(kHead + chunk(std::string(kBeforeDelta) + "{\"role\":\"assistant\",\"content\":\"\"}" + kAfterDelta)) {}

  /** Write `index` of an answer of so many tokens: one token each; head and role come with the first of them, usage and end with the last. */
  std::string_view write(int index, int tokens) {
    if (index + 1 == tokens) return index == 0 ? whole(tokens) : ending(tokens);
    if (index > 0) return token_;
    if (first_.empty()) first_ = opening_ + token_;
    return first_;
  }

  /** All of it. */
  std::string_view whole(int tokens) {
    std::string& text = wholes_[tokens];
    if (!text.empty()) return text;
    text = opening_;
    for (int i = 1; i < tokens; i++) text += token_;
    text += ending(tokens);
    return text;
  }

 private:
  std::string_view ending(int tokens) {
    std::string& text = endings_[tokens];
    if (!text.empty()) return text;
    const std::string count = std::to_string(tokens);
    text = chunk(std::string(kBeforeDelta) + "{\"content\":\" end\"}" + kAfterLastDelta) +
           chunk("{\"id\":\"chatcmpl-0123456789abcdef0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"choices\":[],"
                 "\"usage\":{\"prompt_tokens\":500,\"total_tokens\":" + std::to_string(500 + tokens) +
                 ",\"completion_tokens\":" + count + "}}") +
           chunk("[DONE]") + "0\r\n\r\n";
    return text;
  }

  std::string token_;
  std::string opening_;
  std::string first_;
  std::unordered_map<int, std::string> endings_;
  std::unordered_map<int, std::string> wholes_;
};

struct Truth {
  std::string id;
  std::vector<int64_t> writesUs;
};

struct Connection {
  int fd = -1;
  size_t group = 0;
  std::string input;
  int tokens = 0;
  int written = 0;
  Truth* truth = nullptr;
};

/** The value of a header, or nothing. Names are compared without case; clients differ in it. */
std::string_view headerValue(std::string_view head, const char* name) {
  const size_t nameBytes = strlen(name);
  for (size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const size_t from = at + 2;
    if (from + nameBytes >= head.size() || head[from + nameBytes] != ':') continue;
    if (strncasecmp(head.data() + from, name, nameBytes) != 0) continue;
    const size_t valueFrom = head.find_first_not_of(' ', from + nameBytes + 1);
    return head.substr(valueFrom, head.find("\r\n", valueFrom) - valueFrom);
  }
  return {};
}

int askedTokens(std::string_view body) {
  constexpr std::string_view name = "\"max_tokens\":";
  const size_t at = body.find(name);
  if (at == std::string_view::npos) return 1;
  return std::clamp(atoi(body.data() + at + name.size()), 1, kMostTokens);
}

class Server {
 public:
  Server(int64_t itlUs, size_t groups) : itlUs_(itlUs), active_(groups) {
    epoll_ = epoll_create1(0);
    listen();
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    watch(timer_, EPOLLIN);
    originUs_ = nowUs();
  }

  int port() const { return port_; }

  void run() {
    epoll_event events[kEventsPerWait];
    while (!isStopping) {
      armTimer();
      const int count = epoll_wait(epoll_, events, kEventsPerWait, -1);
      for (int i = 0; i < count; i++) handle(events[i].data.fd);
      runDueTicks();
    }
  }

  void writeTruth(const std::string& path) const {
    FILE* file = fopen(path.c_str(), "w");
    if (file == nullptr) die(path.c_str());
    for (const Truth& truth : truths_) {
      fprintf(file, "{\"id\":\"%s\",\"us\":[", truth.id.c_str());
      for (size_t i = 0; i < truth.writesUs.size(); i++)
        fprintf(file, i == 0 ? "%lld" : ",%lld", static_cast<long long>(truth.writesUs[i]));
      fputs("]}\n", file);
    }
    fclose(file);
  }

 private:
  void listen() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t bytes = sizeof address;
    if (bind(listener_, reinterpret_cast<sockaddr*>(&address), bytes) < 0) die("bind");
    if (::listen(listener_, 4096) < 0) die("listen");
    getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &bytes);
    port_ = ntohs(address.sin_port);
    watch(listener_, EPOLLIN);
  }

  void watch(int fd, uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll_ctl");
  }

  void handle(int fd) {
    if (fd == listener_) return acceptAll();
    if (fd == timer_) {
      uint64_t rings;
      if (read(timer_, &rings, sizeof rings) < 0 && errno != EAGAIN) die("timer");
      return;
    }
    const auto found = connections_.find(fd);
    if (found != connections_.end()) readFrom(*found->second);
  }

  void acceptAll() {
    for (;;) {
      const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto connection = std::make_unique<Connection>();
      connection->fd = fd;
      connection->group = accepted_++ % active_.size();
      connections_[fd] = std::move(connection);
      watch(fd, EPOLLIN);
    }
  }

  void readFrom(Connection& connection) {
    char bytes[16 * 1024];
    const ssize_t count = recv(connection.fd, bytes, sizeof bytes, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return drop(connection);
    connection.input.append(bytes, static_cast<size_t>(count));
    takeRequest(connection);
  }

  void drop(Connection& connection) {
    auto& group = active_[connection.group];
    group.erase(std::remove(group.begin(), group.end(), &connection), group.end());
    close(connection.fd);
    connections_.erase(connection.fd);
  }

  /** One request at a time on a connection: no client here pipelines. */
  void takeRequest(Connection& connection) {
    const std::string_view input = connection.input;
    const size_t headEnd = input.find("\r\n\r\n");
    if (headEnd == std::string_view::npos) return;
    const std::string_view head = input.substr(0, headEnd + 2);
    const std::string_view length = headerValue(head, "content-length");
    const size_t bodyBytes = length.empty() ? 0 : strtoull(length.data(), nullptr, 10);
    if (input.size() < headEnd + 4 + bodyBytes) return;
    if (head.substr(0, 4) == "GET ") sendStats(connection);
    else begin(connection, head, input.substr(headEnd + 4, bodyBytes));
    connection.input.clear();
  }

  void begin(Connection& connection, std::string_view head, std::string_view body) {
    requests_++;
    connection.tokens = askedTokens(body);
    if (itlUs_ == 0) return send(connection, answers_.whole(connection.tokens));
    connection.written = 0;
    truths_.push_back({std::string(headerValue(head, "x-request-id")), {}});
    connection.truth = &truths_.back();
    connection.truth->writesUs.reserve(static_cast<size_t>(connection.tokens));
    active_[connection.group].push_back(&connection);
  }

  void sendStats(Connection& connection) {
    const std::string body = "{\"requests\":" + std::to_string(requests_) + "}";
    send(connection, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: " +
                         std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  /** A socket takes a whole answer and more without being read, so whatever it refuses is a mistake in the benchmark. */
  void send(Connection& connection, std::string_view bytes) {
    const ssize_t count = ::send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count == static_cast<ssize_t>(bytes.size())) return;
    // The client has gone: its end is read next.
    if (count < 0 && (errno == EPIPE || errno == ECONNRESET)) return;
    die("a write that the socket did not take");
  }

  int64_t tickUs(int64_t tick) const {
    return originUs_ + tick * itlUs_ / static_cast<int64_t>(active_.size());
  }

  void armTimer() {
    if (itlUs_ == 0) return;
    itimerspec when{};
    const int64_t dueUs = tickUs(nextTick_);
    when.it_value.tv_sec = dueUs / 1'000'000;
    when.it_value.tv_nsec = dueUs % 1'000'000 * 1000;
    timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
  }

  /** At most one round of all groups, so that a server at its limit still reads requests. */
  void runDueTicks() {
    if (itlUs_ == 0) return;
    for (size_t i = 0; i < active_.size() && tickUs(nextTick_) <= nowUs(); i++) tick(nextTick_++ % active_.size());
    // An engine that is late goes on from there; it does not hurry after its own schedule.
    const int64_t lateUs = nowUs() - tickUs(nextTick_);
    if (lateUs > itlUs_) originUs_ += lateUs;
  }

  void tick(size_t group) {
    auto& streams = active_[group];
    for (size_t i = 0; i < streams.size();) {
      Connection& connection = *streams[i];
      const std::string_view bytes = answers_.write(connection.written, connection.tokens);
      connection.truth->writesUs.push_back(nowUs());
      send(connection, bytes);
      if (++connection.written < connection.tokens) i++;
      else streams.erase(streams.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }

  const int64_t itlUs_;
  std::vector<std::vector<Connection*>> active_;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::deque<Truth> truths_;
  Answers answers_;
  int epoll_ = -1;
  int listener_ = -1;
  int timer_ = -1;
  int port_ = 0;
  size_t accepted_ = 0;
  int64_t requests_ = 0;
  int64_t originUs_ = 0;
  int64_t nextTick_ = 0;
};

}  // namespace

int main(int count, char** words) {
  // It does not outlive whoever started it.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  struct sigaction action {};
  action.sa_handler = [](int) { isStopping = 1; };
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  const bench::Options options(count, words);
  Server server(options.number("itl-us"), static_cast<size_t>(options.number("groups")));
  printf("{\"port\":%d}\n", server.port());
  fflush(stdout);
  server.run();
  server.writeTruth(options.text("truth"));
  return 0;
}
