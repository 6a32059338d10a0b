#include "run_to_end.h"

#include "command.h"
#include "interrupt.h"
#include "progress.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

fs::path run_to_end(const TrainConfig& config, const Dataset& data, const Dataset* val, RunOptions run,
                    const std::string& name) {
  run.resume = fs::exists(run.out / "last.safetensors");
  if (run.resume) {
    check(to_json(run_config(run.out)) == to_json(config), run.out.string(),
          " was trained with other settings: choose another --out, or remove that folder");
    run.weights.clear();  // it has them already
  }
  bool learned = false;
  TrainResult result;
  {
    Progress progress("train " + name);
    TrainEvents events;
    events.stop_requested = interrupted;
    events.on_note = [&](const std::string& note) { say(name + ": " + note); };
    events.on_step = [&](const StepReport& report) {
      learned = true;
      progress.update(
          report.step, report.total_steps,
          message("loss A ", fixed_text(report.loss_a, 2), report.loss_b ? " B " + fixed_text(*report.loss_b, 2) : ""));
    };
    events.on_epoch = [&](const EpochReport& report) {
      say(message(name, ": epoch ", report.epoch + 1, "/", report.epochs, ", loss A ", fixed_text(report.loss_a, 3),
                  report.loss_b ? " B " + fixed_text(*report.loss_b, 3) : "", ", error in training ",
                  fixed_text(report.train_error, 1), " %, ", duration_text(report.seconds)));
    };
    result = train(config, data, val, run, events);
  }
  if (result.end != TrainEnd::finished) throw Interrupted("stopped; the same command goes on from here");
  if (result.skipped_images > 0)
    say(message("note: ", name, ": ", result.skipped_images, " pictures could not be read and were left out"));
  if (!learned) say(name + ": already trained, in " + run.out.string());
  return run.out / "last.safetensors";
}

void hold_settings(const fs::path& file, const Json& settings) {
  std::error_code error;
  if (!fs::exists(file, error)) {
    write_file_atomically(file, json_text(settings));
    return;
  }
  const Json held = Json::parse(read_file(file), nullptr, false);
  check(held.is_object(), file.string(), ": damaged; remove it, or choose another --out");
  const Json asked = Json::parse(json_text(settings));
  for (const auto& [key, value] : asked.items())
    check(held.contains(key) && held.at(key) == value, file.parent_path().string(), " was begun with other settings (",
          key, ": ", held.contains(key) ? held.at(key).dump() : "none", ", now ", value.dump(),
          "): choose another --out, or remove that folder");
}

Json finished_json(const fs::path& file, const Json& settings) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return {};
  Json held = Json::parse(read_file(file), nullptr, false);
  if (!held.is_object() || !held.contains("settings")) return {};
  return held.at("settings") == Json::parse(json_text(settings)) ? held : Json();
}

std::string json_text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace acol
