// The reference reader: what reading streams costs without a runtime. One thread, epoll, one shared buffer; per event it
// does what our readers do: a stamp at the read, chunk framing, SSE lines, the text of the delta, finish reason, usage, a
// histogram of the gaps, and a stamp kept for the judge.
//
//   stream-reader --port N --streams 1000 --tokens 128 --warm-up-ms 2000 --window-ms 3000 --out FILE
//
// Prints what it cost; writes one line of stamps for each request, as all clients of the benchmark do.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

#include "common.hpp"

namespace {

using bench::die;
using bench::nowUs;

constexpr int kEventsPerWait = 1024;
constexpr size_t kReadBytes = 64 * 1024;
constexpr int kPromptBytes = 2000;

/** HdrHistogram's index for 1 us to 1 h with 3 digits: the same counting as ours. */
class Histogram {
 public:
  void record(int64_t us) {
    const uint32_t value = static_cast<uint32_t>(us);
    const int bucket = 31 - __builtin_clz(value | 2047U) - 10;
    counts_[static_cast<size_t>((bucket << 10) + static_cast<int>(value >> bucket))]++;
  }

 private:
  std::array<uint32_t, 23552> counts_{};
};

struct Request {
  std::string id;
  std::vector<int64_t> tokensUs;
};

struct Seen {
  int64_t events = 0;
  int64_t sharedReads = 0;
  int64_t requests = 0;
};

enum class State { kHead, kSize, kData, kDataEnd, kEnd };

struct Stream {
  int fd = -1;
  int slot = 0;
  int serial = 0;
  State state = State::kHead;
  std::string head;
  /** Of the chunk, still to come; in kDataEnd and kEnd, of its line end. */
  size_t left = 0;
  /** A line without its end so far. */
  std::string line;
  Request* request = nullptr;
  int64_t lastTokenUs = 0;
  int64_t usage = 0;
  bool isFinished = false;
  bool isDone = false;
};

/** Of a JSON string that begins at `at`: where it ends, escapes included. */
size_t stringEnd(std::string_view json, size_t at) {
  for (;;) {
    const size_t quote = json.find('"', at);
    if (quote == std::string_view::npos || json[quote - 1] != '\\') return quote;
    at = quote + 1;
  }
}

class Reader {
 public:
  explicit Reader(const bench::Options& options)
      : port_(static_cast<uint16_t>(options.number("port"))),
        streams_(static_cast<size_t>(options.number("streams"))),
        tokens_(static_cast<int>(options.number("tokens"))),
        warmUpUs_(options.number("warm-up-ms") * 1000),
        windowUs_(options.number("window-ms") * 1000) {
    epoll_ = epoll_create1(0);
  }

  void run() {
    for (size_t slot = 0; slot < streams_.size(); slot++) open(static_cast<int>(slot));
    const int64_t fromUs = nowUs() + warmUpUs_;
    turnUntil(fromUs);
    const Seen before = seen_;
    const int64_t cpuBeforeUs = cpuUs();
    turnUntil(fromUs + windowUs_);
    print(fromUs, before, cpuUs() - cpuBeforeUs);
  }

  void writeStamps(const std::string& path) const {
    FILE* file = fopen(path.c_str(), "w");
    if (file == nullptr) die(path.c_str());
    for (const Request& request : requests_) {
      fprintf(file, "{\"id\":\"%s\",\"us\":[", request.id.c_str());
      for (size_t i = 0; i < request.tokensUs.size(); i++)
        fprintf(file, i == 0 ? "%lld" : ",%lld", static_cast<long long>(request.tokensUs[i]));
      fputs("]}\n", file);
    }
    fclose(file);
  }

 private:
  void open(int slot) {
    Stream& stream = streams_[static_cast<size_t>(slot)];
    stream.slot = slot;
    stream.fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    if (connect(stream.fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) die("connect");
    const int on = 1;
    setsockopt(stream.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(stream.fd, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = static_cast<uint32_t>(slot);
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, stream.fd, &event) < 0) die("epoll_ctl");
    // The first answers differ in length, so that ends are spread out from then on.
    send(stream, std::max(1, static_cast<int>(tokens_ * (slot + 1) / static_cast<int>(streams_.size()))));
  }

  void send(Stream& stream, int tokens) {
    requests_.push_back({"b-" + std::to_string(stream.slot) + "-" + std::to_string(stream.serial++), {}});
    stream.request = &requests_.back();
    stream.request->tokensUs.reserve(static_cast<size_t>(tokens));
    stream.state = State::kHead;
    stream.head.clear();
    stream.line.clear();
    stream.isFinished = stream.isDone = false;
    const std::string body = "{\"model\":\"m\",\"stream\":true,\"max_tokens\":" + std::to_string(tokens) +
                             ",\"prompt\":\"" + std::string(kPromptBytes, 'x') + "\"}";
    const std::string text = "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
                             "x-request-id: " + stream.request->id + "\r\ncontent-length: " +
                             std::to_string(body.size()) + "\r\n\r\n" + body;
    if (::send(stream.fd, text.data(), text.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(text.size())) die("send");
  }

  void turnUntil(int64_t endUs) {
    epoll_event events[kEventsPerWait];
    for (int64_t leftUs = endUs - nowUs(); leftUs > 0; leftUs = endUs - nowUs()) {
      const int count = epoll_wait(epoll_, events, kEventsPerWait, static_cast<int>(leftUs / 1000) + 1);
      for (int i = 0; i < count; i++) readFrom(streams_[events[i].data.u32]);
    }
  }

  void readFrom(Stream& stream) {
    const ssize_t count = recv(stream.fd, buffer_, sizeof buffer_, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) die("the server closed a connection");
    readUs_ = nowUs();
    tokensInRead_ = 0;
    parse(stream, {buffer_, static_cast<size_t>(count)});
  }

  void parse(Stream& stream, std::string_view bytes) {
    while (!bytes.empty()) {
      switch (stream.state) {
        case State::kHead:
          bytes = takeHead(stream, bytes);
          break;
        case State::kSize:
          bytes = takeSize(stream, bytes);
          break;
        case State::kData:
          bytes = takeData(stream, bytes);
          break;
        case State::kDataEnd:
        case State::kEnd:
          bytes = takeLineEnd(stream, bytes);
          break;
      }
    }
  }

  std::string_view takeHead(Stream& stream, std::string_view bytes) {
    const size_t had = stream.head.size();
    stream.head.append(bytes);
    const size_t end = stream.head.find("\r\n\r\n");
    if (end == std::string::npos) return {};
    if (stream.head.compare(0, 12, "HTTP/1.1 200") != 0) die("a status other than 200");
    stream.state = State::kSize;
    stream.left = 0;
    return bytes.substr(end + 4 - had);
  }

  std::string_view takeSize(Stream& stream, std::string_view bytes) {
    for (size_t i = 0; i < bytes.size(); i++) {
      const char c = bytes[i];
      if (c >= '0' && c <= '9') stream.left = stream.left * 16 + static_cast<size_t>(c - '0');
      else if (c >= 'a' && c <= 'f') stream.left = stream.left * 16 + static_cast<size_t>(c - 'a' + 10);
      else if (c == '\n') {
        stream.state = stream.left == 0 ? State::kEnd : State::kData;
        if (stream.left == 0) stream.left = 2;
        return bytes.substr(i + 1);
      } else if (c != '\r') die("a chunk size that is none");
    }
    return {};
  }

  std::string_view takeData(Stream& stream, std::string_view bytes) {
    const size_t count = std::min(stream.left, bytes.size());
    takeLines(stream, bytes.substr(0, count));
    stream.left -= count;
    if (stream.left == 0) {
      stream.state = State::kDataEnd;
      stream.left = 2;
    }
    return bytes.substr(count);
  }

  std::string_view takeLineEnd(Stream& stream, std::string_view bytes) {
    const size_t count = std::min(stream.left, bytes.size());
    stream.left -= count;
    if (stream.left > 0) return {};
    if (stream.state == State::kEnd) complete(stream);
    else stream.state = State::kSize;
    return bytes.substr(count);
  }

  void complete(Stream& stream) {
    const bool isWhole = stream.isFinished && stream.isDone &&
                         stream.usage == static_cast<int64_t>(stream.request->tokensUs.size());
    if (!isWhole) die("an answer that is not whole");
    seen_.requests++;
    send(stream, tokens_);
  }

  void takeLines(Stream& stream, std::string_view bytes) {
    while (!bytes.empty()) {
      const size_t end = bytes.find('\n');
      if (end == std::string_view::npos) {
        stream.line.append(bytes);
        return;
      }
      if (stream.line.empty()) takeLine(stream, bytes.substr(0, end));
      else {
        stream.line.append(bytes.substr(0, end));
        takeLine(stream, stream.line);
        stream.line.clear();
      }
      bytes.remove_prefix(end + 1);
    }
  }

  void takeLine(Stream& stream, std::string_view line) {
    if (line.substr(0, 6) != "data: ") return;
    const std::string_view json = line.substr(6);
    if (json == "[DONE]") {
      stream.isDone = true;
      return;
    }
    if (!takeText(stream, json)) takeUsage(stream, json);
  }

  bool takeText(Stream& stream, std::string_view json) {
    constexpr std::string_view name = "\"content\":\"";
    const size_t at = json.find(name);
    if (at == std::string_view::npos) return false;
    const size_t from = at + name.size();
    const size_t to = stringEnd(json, from);
    if (to == std::string_view::npos) die("a text without an end");
    if (json.find("\"finish_reason\":\"", to) != std::string_view::npos) stream.isFinished = true;
    if (to > from) token(stream);
    return true;
  }

  void takeUsage(Stream& stream, std::string_view json) {
    constexpr std::string_view name = "\"completion_tokens\":";
    const size_t at = json.find(name);
    if (at != std::string_view::npos) stream.usage = atoll(json.data() + at + name.size());
  }

  void token(Stream& stream) {
    auto& stampsUs = stream.request->tokensUs;
    if (!stampsUs.empty()) gaps_.record(readUs_ - stream.lastTokenUs);
    stream.lastTokenUs = readUs_;
    stampsUs.push_back(readUs_);
    seen_.events++;
    if (++tokensInRead_ > 1) seen_.sharedReads++;
  }

  static int64_t cpuUs() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    const auto us = [](const timeval& t) { return int64_t{t.tv_sec} * 1'000'000 + t.tv_usec; };
    return us(usage.ru_utime) + us(usage.ru_stime);
  }

  void print(int64_t fromUs, const Seen& before, int64_t spentUs) const {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"fromUs\":%lld,\"toUs\":%lld,\"cpuUs\":%lld,\"events\":%lld,\"sharedReads\":%lld,\"rssBytes\":%lld}\n",
           static_cast<long long>(fromUs), static_cast<long long>(fromUs + windowUs_), static_cast<long long>(spentUs),
           static_cast<long long>(seen_.events - before.events),
           static_cast<long long>(seen_.sharedReads - before.sharedReads),
           static_cast<long long>(usage.ru_maxrss) * 1024);
  }

  const uint16_t port_;
  std::vector<Stream> streams_;
  const int tokens_;
  const int64_t warmUpUs_;
  const int64_t windowUs_;
  /** A deque: whoever reads keeps a pointer to its request. */
  std::deque<Request> requests_;
  Histogram gaps_;
  Seen seen_;
  int epoll_ = -1;
  int64_t readUs_ = 0;
  int tokensInRead_ = 0;
  char buffer_[kReadBytes];
};

}  // namespace

int main(int count, char** words) {
  // It does not outlive whoever started it.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  const bench::Options options(count, words);
  const auto reader = std::make_unique<Reader>(options);
  reader->run();
  reader->writeStamps(options.text("out"));
  return 0;
}
