// Ctrl-C and SIGTERM: the first asks the program to stop at the next good moment, the second ends it at once.
#pragma once

#include <exception>
#include <functional>

namespace acol {

void install_interrupt_handler();
bool interrupted();

// Thrown where a command stops because it was asked to; the program ends with status 130.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "stopped"; }
};

inline void stop_if_interrupted() {
  if (interrupted()) throw Interrupted();
}

}  // namespace acol
