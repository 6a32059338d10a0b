// Errors of the whole library: one exception type, one macro-free check.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace acol {

// Thrown for everything a caller can get wrong. The message names the operation or the file, says what was expected and
// what came, and what to do next; the program prints it as its one line.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Glues its arguments into one string: `message("conv2d: ", c, " channels")`.
template <class... Parts>
std::string message(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw Error(message(parts...));
}

// The message is only put together when the condition does not hold.
template <class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(parts...);
}

}  // namespace acol
