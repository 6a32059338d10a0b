#include "interrupt.h"

#include <csignal>
#include <ctime>

namespace acol {

namespace {

volatile std::sig_atomic_t asked_to_stop = 0;
timespec first_time{};  // written once, by the handler that first runs

double seconds_between(const timespec& a, const timespec& b) {
  return static_cast<double>(b.tv_sec - a.tv_sec) + 1e-9 * static_cast<double>(b.tv_nsec - a.tv_nsec);
}

// Only calls that POSIX allows in a signal handler.
extern "C" void on_signal(int signal) {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (asked_to_stop == 0) {
    first_time = now;
    asked_to_stop = 1;
    return;
  }
  // timeout(1) and some shells send one request twice, to the process and to its group: that is not the user's second.
  if (seconds_between(first_time, now) < 0.5) return;
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // reads and writes under way go on
  sigemptyset(&action.sa_mask);
  sigaddset(&action.sa_mask, SIGINT);  // one handler at a time
  sigaddset(&action.sa_mask, SIGTERM);
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction before {};
    // Who started us with the signal ignored (nohup, a shell's background job) wants it ignored.
    if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
}

bool interrupted() { return asked_to_stop != 0; }

}  // namespace acol
