// Runs in parts, in this process: stopped, limited, saved now and then (test_kill_resume.cpp kills the program itself).
#include <doctest/doctest.h>

#include <algorithm>

#include "acol/train/checkpoint.h"
#include "tests/tiny_run.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;

namespace {

void check_same_run(const fs::path& got, const fs::path& want) {
  CHECK(text_of_file(got / "last.safetensors") == text_of_file(want / "last.safetensors"));
  CHECK(text_of_file(got / "best.safetensors") == text_of_file(want / "best.safetensors"));
  CHECK(text_of_file(got / "log.jsonl") == text_of_file(want / "log.jsonl"));
  CHECK(text_of_file(got / "config.json") == text_of_file(want / "config.json"));
}

}  // namespace

TEST_CASE("stopped or limited anywhere and resumed: the same files, bit for bit") {
  const Runs runs;
  TrainConfig config = tiny_config();
  config.network.dropout = 0.2;
  config.erase_after = 1;
  const fs::path whole = runs("whole");
  train(config, set().train, &set().val, into(whole), {});
  for (int at = 1; at <= 5; ++at) {
    CAPTURE(at);
    const fs::path out = runs(message("stopped", at));
    std::int64_t steps = 0;
    TrainEvents events;
    events.on_step = [&](const StepReport& report) { steps = report.step; };
    events.stop_requested = [&] { return steps == at; };
    const TrainResult stopped = train(config, set().train, &set().val, into(out), events);
    CHECK(stopped.end == TrainEnd::stopped);
    CHECK(stopped.step == at);
    const TrainResult resumed = train(config, set().train, &set().val, into(out, true), {});
    CHECK(resumed.end == TrainEnd::finished);
    CHECK(resumed.step == 6);
    check_same_run(out, whole);
  }
  // Asked to stop while it validates: the epoch is trained, and the resumed run begins with its validation.
  {
    const fs::path validating = runs("validating");
    int asked_after_epoch = 0;
    std::int64_t steps = 0;
    TrainEvents events;
    events.on_step = [&](const StepReport& report) { steps = report.step; };
    events.stop_requested = [&] { return steps == 3 && ++asked_after_epoch == 2; };
    const TrainResult stopped = train(config, set().train, &set().val, into(validating), events);
    CHECK(stopped.end == TrainEnd::stopped);
    CHECK(stopped.step == 3);
    const TrainState state = load_checkpoint(validating / "last.safetensors").state;
    CHECK(state.epoch == 0);
    CHECK(state.batch == 3);
    CHECK_FALSE(fs::exists(validating / "best.safetensors"));
    CHECK(train(config, set().train, &set().val, into(validating, true), {}).end == TrainEnd::finished);
    check_same_run(validating, whole);
  }
  // Limits: in the middle, at the border of an epoch, and one that is reached already.
  const fs::path out = runs("limited");
  for (const std::int64_t limit : {2, 2, 3, 3, 5}) {
    CAPTURE(limit);
    const TrainResult result = train(config, set().train, &set().val, into(out, fs::exists(out), limit), {});
    CHECK(result.end == TrainEnd::limit);
    CHECK(result.step == limit);
    CHECK(load_checkpoint(out / "last.safetensors").state.step == limit);
  }
  CHECK(train(config, set().train, &set().val, into(out, true, 6), {}).end == TrainEnd::finished);
  check_same_run(out, whole);
  // A finished run has nothing left to do.
  const TrainResult again = train(config, set().train, &set().val, into(out, true), {});
  CHECK(again.end == TrainEnd::finished);
  CHECK(again.step == 6);
  check_same_run(out, whole);
}

TEST_CASE("save-every says how far a kill can throw back") {
  const Runs runs;
  const fs::path out = runs("run");
  for (const int every : {0, 1, 2}) {
    CAPTURE(every);
    RunOptions run = into(out / std::to_string(every));
    run.save_every = every;
    TrainEvents events;
    events.on_step = [&](const StepReport& report) {
      const std::int64_t done = report.step - 1;  // this step's own state is not saved yet
      const std::int64_t epoch = done / 3 * 3, saved = every == 0 ? epoch : std::max(epoch, done / every * every);
      CHECK(load_checkpoint(run.out / "last.safetensors").state.step == saved);
    };
    train(tiny_config(), set().train, nullptr, run, events);
  }
  check_same_run(out / "1", out / "0");
  check_same_run(out / "2", out / "0");
}
