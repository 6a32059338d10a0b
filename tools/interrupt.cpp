#include "interrupt.h"

#include <csignal>

namespace acol {

namespace {

volatile std::sig_atomic_t asked_to_stop = 0;

extern "C" void on_signal(int) {
  asked_to_stop = 1;
  // The next one, of either kind, does what it does to any program.
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

}  // namespace

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // reads and writes under way go on
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGINT, SIGTERM}) {
    struct sigaction before {};
    // Who started us with the signal ignored (nohup, a shell's background job) wants it ignored.
    if (sigaction(signal, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(signal, &action, nullptr);
  }
}

bool interrupted() { return asked_to_stop != 0; }

}  // namespace acol
