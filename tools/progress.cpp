#include "progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "command.h"

namespace acol {

namespace {

constexpr double terminal_interval = 0.1, plain_interval = 10;  // seconds between two updates

bool line_shown = false;  // on a terminal: the cursor stands behind a progress line

int terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

void clear_line() {
  if (!line_shown) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  line_shown = false;
}

std::string bar(double share) {
  constexpr int width = 24;
  const int full = static_cast<int>(share * width);
  return "[" + std::string(static_cast<std::size_t>(full), '#') +
         std::string(static_cast<std::size_t>(width - full), '.') + "]";
}

}  // namespace

Progress::Progress(std::string what) : what_(std::move(what)), terminal_(::isatty(STDERR_FILENO) == 1) {
  start_ = shown_ = Clock::now();
}

Progress::~Progress() { clear_line(); }

void Progress::update(std::int64_t done, std::int64_t total, const std::string& more) {
  const auto now = Clock::now();
  if (!started_) {
    started_ = true;
    first_done_ = done;
    start_ = now;
    if (terminal_) shown_ = {};
  }
  const std::chrono::duration<double> since_shown = now - shown_, elapsed = now - start_;
  if (since_shown.count() < (terminal_ ? terminal_interval : plain_interval)) return;
  shown_ = now;

  const double share =
      total > 0 ? static_cast<double>(std::clamp<std::int64_t>(done, 0, total)) / static_cast<double>(total) : 0;
  const std::int64_t here = done - first_done_;
  std::string text = what_ + " ";
  if (terminal_) text += bar(share) + " ";
  text += std::to_string(done) + "/" + std::to_string(total) + " " + fixed_text(100 * share, 0) + " %";
  if (here > 0 && done < total)
    text +=
        ", " + duration_text(elapsed.count() * static_cast<double>(total - done) / static_cast<double>(here)) + " left";
  if (!more.empty()) text += ", " + more;

  if (!terminal_) {
    std::fprintf(stderr, "%s\n", text.c_str());
    return;
  }
  text.resize(std::min(text.size(), static_cast<std::size_t>(terminal_columns() - 1)));
  std::fprintf(stderr, "\r%s\x1b[K", text.c_str());
  std::fflush(stderr);
  line_shown = true;
}

void Progress::say(const std::string& line) {
  clear_line();
  std::fprintf(stderr, "%s\n", line.c_str());
}

std::function<void(std::int64_t, std::int64_t)> Progress::callback() {
  return [this](std::int64_t done, std::int64_t total) { update(done, total); };
}

}  // namespace acol
