// Training that is stopped or killed at any moment and goes on ends with the same bits as if it had never been.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "program.h"
#include "tensor/safetensors.h"

using namespace acol;
namespace fs = std::filesystem;
using Words = std::vector<std::string>;

namespace {

// The _bn trunk, so that running statistics and their update order count too. A state is saved every second step:
// between two of them a kill finds the run at work, in them it finds a half-written file.
const Words recipe{"--arch",       "vgg11_bn", "--width",      "0.03125", "--resize",    "36",
                   "--crop",       "32",       "--epochs",     "4",       "--dropout",   "0.2",
                   "--batch-size", "7",        "--save-every", "2",       "--log-every", "1"};

struct World {
  TemporaryFolder folder;
  std::string data = folder / "data";
  std::string expected = folder / "uninterrupted";
  std::chrono::microseconds two_steps{};  // of a run that nobody disturbs, its start included

  World() {
    REQUIRE(
        run_program({"synth", "--out", data, "--classes", "3", "--train", "14", "--val", "3", "--size", "40"}).status ==
        0);
    const auto start = std::chrono::steady_clock::now();
    const Output output = Process(command(expected, 1)).wait();
    REQUIRE_MESSAGE(output.status == 0, output.err);
    constexpr int steps = 4 * 6;  // epochs x batches
    two_steps =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - start) * 2 / steps;
  }

  Words command(const std::string& out, int threads) const {
    return joined({"train", "--data", data, "--out", out, "--threads", std::to_string(threads), "--workers", "1"},
                  recipe);
  }
  // Once a state is there, the run says itself what its settings are. A kill before that leaves nothing to resume.
  Words command_to_go_on(const std::string& out, int threads) const {
    if (!fs::exists(out + "/last.safetensors")) return command(out, threads);
    return {"train",        "--resume", "--data",      data, "--out", out, "--threads", std::to_string(threads),
            "--save-every", "2",        "--log-every", "1"};
  }
};

const World& world() {
  static const World one;
  return one;
}

std::string bytes_of(const Tensor& tensor) {
  return std::string(reinterpret_cast<const char*>(tensor.f32()), tensor.bytes());
}

// Every tensor of the final state: weights, running statistics, the optimizer's velocities.
void check_same_bits(const std::string& out) {
  const SafetensorsFile expected = read_safetensors(world().expected + "/last.safetensors");
  const SafetensorsFile got = read_safetensors(out + "/last.safetensors");
  REQUIRE(got.tensors.size() == expected.tensors.size());
  bool statistics = false, velocities = false;
  for (const auto& [this_name, tensor] : expected.tensors) {
    const auto& name = this_name;  // a message is a lambda, and Clang 14 captures no binding
    CAPTURE(name);
    REQUIRE(got.tensors.contains(name));
    CHECK(bytes_of(got.tensors.at(name)) == bytes_of(tensor));
    statistics = statistics || name.find("running_mean") != std::string::npos;
    velocities = velocities || name.starts_with("optimizer.");
  }
  CHECK(statistics);
  CHECK(velocities);
  CHECK(got.metadata == expected.metadata);
  CHECK(text_of_file(out + "/best.safetensors") == text_of_file(world().expected + "/best.safetensors"));
  // The log too has each step once, whatever was done twice.
  CHECK(text_of_file(out + "/log.jsonl") == text_of_file(world().expected + "/log.jsonl"));
}

// Lets the run write a random number of lines to its log and then work on for up to two steps, then sends the signal.
// Going by progress and not by the clock, this finds the run at work on a busy machine and on a fast one.
void interrupt_at_random(Process& process, const std::string& out, int signal, std::mt19937& random) {
  const auto lines = [&] {
    const std::string log = text_of_file(out + "/log.jsonl");
    return std::count(log.begin(), log.end(), '\n');
  };
  const auto enough = lines() + std::uniform_int_distribution<long>(0, 6)(random);
  while (lines() < enough && !process.ended()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(
      std::chrono::microseconds(std::uniform_int_distribution<long>(0, world().two_steps.count())(random)));
  if (!process.ended()) process.send(signal);
}

// The run ended before the first signal came: it proves nothing, and is begun anew.
bool got_away(const Output& output, int signals, int start, const std::string& out) {
  if (output.status != 0 || signals > 0 || start >= 2) return false;
  fs::remove_all(out);
  return true;
}

}  // namespace

TEST_CASE("two threads give the bits of one") {
  const std::string out = world().folder / "two-threads";
  const Output output = Process(world().command(out, 2)).wait();
  REQUIRE_MESSAGE(output.status == 0, output.err);
  check_same_bits(out);
}

TEST_CASE("SIGINT: the step is finished and saved, status 130; a resumed run ends with the same bits") {
  std::random_device seed;
  const unsigned drawn = seed();
  CAPTURE(drawn);
  std::mt19937 random(drawn);
  const std::string out = world().folder / "interrupted";
  int interruptions = 0;
  Output output;
  for (int start = 0; start < 12; ++start) {
    Process process(world().command_to_go_on(out, 1));
    if (start < 3) interrupt_at_random(process, out, start % 2 == 0 ? SIGINT : SIGTERM, random);
    output = process.wait();
    if (got_away(output, interruptions, start, out)) continue;
    if (output.status == 0) break;
    // Before the handler is there, the signal ends the program as it ends any.
    CHECK_MESSAGE((output.status == 130 || output.status == 128 + SIGTERM), output.err);
    if (contains(output.err, "acol train --resume")) ++interruptions;
  }
  REQUIRE_MESSAGE(output.status == 0, output.err);
  CHECK(interruptions >= 1);
  check_same_bits(out);
}

TEST_CASE("SIGKILL at random moments, with either number of threads") {
  std::random_device seed;
  const unsigned drawn = seed();
  CAPTURE(drawn);
  std::mt19937 random(drawn);
  const std::string out = world().folder / "killed";
  Output output;
  int kills = 0;
  for (int start = 0; start < 12; ++start) {
    Process process(world().command_to_go_on(out, 1 + start % 2));
    if (start < 5) interrupt_at_random(process, out, SIGKILL, random);
    output = process.wait();
    if (got_away(output, kills, start, out)) continue;
    if (output.status == 0) break;
    CHECK_MESSAGE(output.status == 128 + SIGKILL, output.err);
    ++kills;
  }
  REQUIRE_MESSAGE(output.status == 0, output.err);
  CHECK(kills >= 1);
  check_same_bits(out);
}

TEST_CASE("--limit-steps ends a run, --resume goes on") {
  const std::string out = world().folder / "limited";
  const Output first = Process(joined(world().command(out, 1), {"--limit-steps", "5"})).wait();
  REQUIRE_MESSAGE(first.status == 0, first.err);
  CHECK(contains(first.out, "step 5"));
  const Output second = Process(world().command_to_go_on(out, 1)).wait();
  REQUIRE_MESSAGE(second.status == 0, second.err);
  check_same_bits(out);
}
