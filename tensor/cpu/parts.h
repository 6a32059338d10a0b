// Cutting a size into parts, and filling up the last.
#pragma once

#include <cstdint>
#include <type_traits>

namespace acol {

// How many parts of `size` cover `count`.
constexpr std::int64_t parts(std::int64_t count, std::int64_t size) { return (count + size - 1) / size; }

// The next multiple of `step`, from `value` on.
template <class Integer>
constexpr Integer rounded_up(Integer value, std::type_identity_t<Integer> step) {
  return (value + step - 1) / step * step;
}

}  // namespace acol
