// Ctrl-C and SIGTERM: the first asks the program to stop at the next good moment, the second ends it at once.
#pragma once

#include <stdexcept>
#include <string>

namespace acol {

void install_interrupt_handler();
bool interrupted();

// Thrown where a command stops because it was asked to; the program prints the text and ends with status 130.
class Interrupted : public std::runtime_error {
 public:
  explicit Interrupted(const std::string& text = "stopped") : std::runtime_error(text) {}
};

inline void stop_if_interrupted() {
  if (interrupted()) throw Interrupted();
}

}  // namespace acol
