// How far a long command has come, on stderr: one line that changes on a terminal, a calm line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace acol {

class Progress {
 public:
  // `what` opens the line: "train", "evaluate". At most one at a time.
  explicit Progress(std::string what);
  ~Progress();  // takes the line away
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `more` is added behind the bar: "loss A 1.23". Cheap enough to be called for every picture.
  void update(std::int64_t done, std::int64_t total, const std::string& more = "");

  // A line of text on stderr that stays, above the progress line if there is one now.
  static void say(const std::string& line);

  // For the options of library functions: updates this one.
  std::function<void(std::int64_t done, std::int64_t total)> callback();

 private:
  using Clock = std::chrono::steady_clock;
  std::string what_;
  bool terminal_;
  bool started_ = false;
  std::int64_t first_done_ = 0;  // a resumed run does not start at 0
  Clock::time_point start_, shown_;
};

}  // namespace acol
