// Free memory of an arena as pieces that know their neighbours: which one to hand out, and how those that come back
// join.
#pragma once

#include <cstddef>
#include <iterator>
#include <map>
#include <set>
#include <utility>

namespace acol {

class FreePieces {
 public:
  // `size` bytes of the shortest piece that is long enough, at the lowest address among equals; the rest of it stays.
  // Null if there is none.
  std::byte* take(std::size_t size) {
    const auto found = by_size_.lower_bound({size, nullptr});
    if (found == by_size_.end()) return nullptr;
    const auto [length, memory] = *found;
    remove(memory, length);
    if (length > size) add(memory + size, length - size);
    return memory;
  }

  // Joins it with what is free right before and after it.
  void give_back(std::byte* memory, std::size_t length) {
    if (const auto after = by_place_.lower_bound(memory); after != by_place_.end() && after->first == memory + length) {
      const std::size_t more = after->second;
      remove(memory + length, more);
      length += more;
    }
    if (const auto after = by_place_.lower_bound(memory); after != by_place_.begin()) {
      const auto [before, more] = *std::prev(after);
      if (before + more == memory) {
        remove(before, more);
        memory = before;
        length += more;
      }
    }
    add(memory, length);
  }

  // The length of the piece that ends at `end`; 0 if none does.
  std::size_t length_before(const std::byte* end) const {
    if (by_place_.empty()) return 0;
    const auto& [last, length] = *by_place_.rbegin();
    return last + length == end ? length : 0;
  }

 private:
  void add(std::byte* memory, std::size_t length) {
    by_place_.emplace(memory, length);
    by_size_.emplace(length, memory);
  }
  void remove(std::byte* memory, std::size_t length) {
    by_place_.erase(memory);
    by_size_.erase({length, memory});
  }

  std::map<std::byte*, std::size_t> by_place_;            // no two of them touch
  std::set<std::pair<std::size_t, std::byte*>> by_size_;  // the same pieces
};

}  // namespace acol
