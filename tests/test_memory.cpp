// The arena: what it hands out, joins again and asks of the system.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "tensor/memory.h"
#include "tensor/random.h"
#include "tensor/tensor.h"

using namespace acol;

namespace {

constexpr std::size_t megabyte = std::size_t{1} << 20;

struct Block {
  std::byte* memory;
  std::size_t bytes;
};

Block take(std::size_t bytes) {
  std::byte* const memory = take_memory(bytes);
  REQUIRE(memory != nullptr);
  return {memory, bytes};
}
void give_back(const Block& block) { give_back_memory(block.memory, block.bytes); }

void mark(const Block& block, int value) { std::memset(block.memory, value, block.bytes); }
bool marked(const Block& block, int value) {
  return std::all_of(block.memory, block.memory + block.bytes, [&](std::byte b) { return b == std::byte(value); });
}

std::int64_t from_system() { return memory_use().allocations_from_system; }

}  // namespace

TEST_CASE("blocks of all sizes are aligned and do not overlap") {
  std::vector<Block> blocks;
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, std::size_t{100}, smallest_in_arena - 1,
                                  smallest_in_arena, smallest_in_arena + 1, megabyte, 3 * megabyte + 17, 8 * megabyte})
    for (int copy = 0; copy < 2; ++copy) {
      blocks.push_back(take(bytes));
      CHECK(reinterpret_cast<std::uintptr_t>(blocks.back().memory) % 64 == 0);
      mark(blocks.back(), static_cast<int>(blocks.size()));
    }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    CHECK(marked(blocks[i], static_cast<int>(i + 1)));
    give_back(blocks[i]);
  }
}

TEST_CASE("the same sizes again need nothing from the system, in whatever order they went") {
  const std::vector<std::size_t> sizes{5 * megabyte, megabyte, 70000, 3 * megabyte, 9 * megabyte};
  std::int64_t before = 0;
  for (int round = 0; round < 6; ++round) {
    if (round == 1) before = from_system();
    std::vector<Block> blocks;
    for (const std::size_t bytes : sizes) blocks.push_back(take(bytes));
    if (round % 2 == 0) std::reverse(blocks.begin(), blocks.end());
    std::for_each(blocks.begin(), blocks.end(), give_back);
  }
  CHECK(from_system() == before);
}

TEST_CASE("neighbours that come back are one piece again, in every order") {
  std::vector<int> order{0, 1, 2, 3};
  std::int64_t before = 0;
  bool first = true;
  do {
    // Fences on both sides keep what lies around out of it.
    const Block fence = take(64 * megabyte);
    std::vector<Block> blocks;
    for (std::size_t i = 0; i < order.size(); ++i) blocks.push_back(take(16 * megabyte));
    const Block other_fence = take(64 * megabyte);
    for (const int i : order) give_back(blocks[static_cast<std::size_t>(i)]);
    const Block whole = take(4 * 16 * megabyte);
    give_back(whole);
    give_back(fence);
    give_back(other_fence);
    if (first) before = from_system();
    first = false;
  } while (std::next_permutation(order.begin(), order.end()));
  CHECK(from_system() == before);
}

TEST_CASE("what is held stays near the most that was in use, for sizes that change all the time") {
  RandomStream random(7, Purpose::test);
  restart_memory_peak();
  const std::size_t start = memory_use().bytes_from_system;
  std::vector<Block> blocks;
  std::size_t in_use = 0;
  for (int i = 0; i < 5000; ++i) {
    if (blocks.size() > 20 || (!blocks.empty() && random.below(2) == 0)) {
      std::swap(blocks[static_cast<std::size_t>(random.below(static_cast<int>(blocks.size())))], blocks.back());
      in_use -= blocks.back().bytes;
      give_back(blocks.back());
      blocks.pop_back();
    } else {
      const auto bytes = static_cast<std::size_t>(random.below(40 << 20)) + smallest_in_arena;
      blocks.push_back(take(bytes));
      in_use += bytes;
    }
    CHECK(memory_use().bytes_in_use >= in_use);
  }
  const MemoryUse use = memory_use();
  CHECK(use.bytes_from_system >= use.peak_bytes_in_use);
  CHECK(use.bytes_from_system <= std::max(start, use.peak_bytes_in_use + use.peak_bytes_in_use / 2));
  std::for_each(blocks.begin(), blocks.end(), give_back);
}

TEST_CASE("the counters") {
  const MemoryUse before = memory_use();
  restart_memory_peak();
  CHECK(memory_use().peak_bytes_in_use == before.bytes_in_use);
  {
    const Tensor large = Tensor::empty({1 << 20});  // 4 MB
    const Tensor shared = large.reshaped({1 << 10, 1 << 10});
    CHECK(memory_use().bytes_in_use >= before.bytes_in_use + 4 * megabyte);
    CHECK(memory_use().bytes_in_use < before.bytes_in_use + 5 * megabyte);
  }
  CHECK(memory_use().bytes_in_use == before.bytes_in_use);
  CHECK(memory_use().peak_bytes_in_use >= before.bytes_in_use + 4 * megabyte);
  { const Tensor small = Tensor::empty({100}); }
  CHECK(memory_use().bytes_in_use == before.bytes_in_use);  // small ones do not count

  // More than was ever held: the counters see it.
  const std::size_t held = memory_use().bytes_from_system;
  const std::int64_t asked = from_system();
  const Block more = take(held + megabyte);
  CHECK(from_system() == asked + 1);
  const std::size_t now_held = memory_use().bytes_from_system;
  CHECK(now_held > held);
  // It lies at the end: for a longer one only the difference is asked for.
  give_back(more);
  const Block longer = take(more.bytes + 4 * megabyte);
  CHECK(memory_use().bytes_from_system > now_held);
  CHECK(memory_use().bytes_from_system <= now_held + 6 * megabyte);
  give_back(longer);
}

TEST_CASE("more than the machine has is an Error that says what to do") {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // which end the process instead
  CHECK_THROWS_WITH_AS(shared_buffer(std::size_t{1} << 46), doctest::Contains("--batch-size"), Error);
#endif
  CHECK(shared_buffer(0) != nullptr);
}

TEST_CASE("many threads at once") {
  std::vector<std::thread> threads;
  std::vector<int> spoilt(4, 0);
  for (int id = 0; id < 4; ++id)
    threads.emplace_back([id, &spoilt] {
      RandomStream random(9, Purpose::test, static_cast<std::uint32_t>(id));
      std::vector<Block> blocks;
      for (int i = 0; i < 300; ++i) {
        const auto bytes = static_cast<std::size_t>(random.below(200000)) + 1000;
        if (std::byte* const memory = take_memory(bytes)) {
          blocks.push_back({memory, bytes});
          mark(blocks.back(), id + 1);
        }
        if (blocks.size() > 5) {
          spoilt[static_cast<std::size_t>(id)] += !marked(blocks.front(), id + 1);
          give_back(blocks.front());
          blocks.erase(blocks.begin());
        }
      }
      std::for_each(blocks.begin(), blocks.end(), give_back);
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(spoilt == std::vector<int>(4, 0));
}
