// The message of an Error.
#pragma once

#include <doctest/doctest.h>

#include <string>

#include "tensor/check.h"

namespace acol::testing {

// What `action` ends with; "" if with no Error. It must be one line.
template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return error.what();
  }
  return "";
}

}  // namespace acol::testing
