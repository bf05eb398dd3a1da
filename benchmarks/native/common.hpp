// What load server and reader share: time, options, and the end of the program where going on makes no sense.
#pragma once

#include <time.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

namespace bench {

/** CLOCK_MONOTONIC, us: the clock of Node's hrtime and of Python's monotonic, so stamps of all clients compare. */
inline int64_t nowUs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

[[noreturn]] inline void die(const char* what) {
  perror(what);
  exit(1);
}

/** `--name value` pairs; every one that the program asks for must be there. */
class Options {
 public:
  Options(int count, char** words) {
    for (int i = 1; i + 1 < count; i += 2) values_[words[i]] = words[i + 1];
  }

  std::string text(const std::string& name) const {
    const auto found = values_.find("--" + name);
    if (found != values_.end()) return found->second;
    fprintf(stderr, "error: --%s is missing\n", name.c_str());
    exit(2);
  }

  int64_t number(const std::string& name) const { return atoll(text(name).c_str()); }

 private:
  std::map<std::string, std::string> values_;
};

}  // namespace bench
