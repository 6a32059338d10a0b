#include "run_to_end.h"

#include "command.h"
#include "evaluation_table.h"
#include "interrupt.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

std::string losses(double a, const std::optional<double>& b) {
  return "loss A " + fixed_text(a, 3) + (b ? " B " + fixed_text(*b, 3) : "");
}

std::string epoch_line(const EpochReport& report) {
  std::string line = message("epoch ", report.epoch + 1, "/", report.epochs, ": ", losses(report.loss_a, report.loss_b),
                             ", error in training ", fixed_text(report.train_error, 1), " %");
  if (report.val_error) line += ", on val " + fixed_text(*report.val_error, 1) + " %";
  if (report.val_error_b) line += " (B " + fixed_text(*report.val_error_b, 1) + " %)";
  return line + (report.best ? ", the best so far" : "") + ", " + duration_text(report.seconds) + ", waited " +
         fixed_text(report.seconds_waited, 1) + " s for pictures";
}

}  // namespace

TrainEvents shown_events(Progress& progress, const std::string& name) {
  const std::string opening = name.empty() ? "" : name + ": ";
  TrainEvents events;
  events.stop_requested = interrupted;
  events.on_note = [opening](const std::string& note) { say(opening + note); };
  events.on_epoch = [opening](const EpochReport& report) { say(opening + epoch_line(report)); };
  events.on_step = [&progress](const StepReport& report) {
    progress.update(report.step, report.total_steps, losses(report.loss_a, report.loss_b));
  };
  return events;
}

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
    TrainEvents events = shown_events(progress, name);
    events.on_step = [&, show = events.on_step](const StepReport& report) {
      learned = true;
      show(report);
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

Json evaluated_once(const fs::path& kept, Json settings, const fs::path& file, const Dataset& data, EvaluateOptions how,
                    const std::string& name) {
  settings["version"] = ACOL_VERSION;
  Json json = finished_json(kept, settings);
  if (!json.is_null()) return json;
  const Model model = load_model(file);
  check_same_classes(model, file.string(), data);
  Progress progress("evaluate " + name);
  how.progress = progress.callback();
  how.stop_requested = interrupted;
  const Evaluation result = evaluate(*model.network, model.config.preprocessing, data, how);
  for (const std::string& warning : result.warnings) say("skipped: " + warning);
  Json evaluation = Json::parse(to_json(result));
  if (result.gt_known_curve) {
    const auto gt_known = result.gt_known_curve->best(), top1 = result.top1_loc_curve->best();
    evaluation["gt_known_loc_tuned"] = gt_known.percent;
    evaluation["gt_known_loc_tuned_threshold"] = gt_known.threshold;
    evaluation["top1_loc_err_tuned"] = 100 - top1.percent;
    evaluation["top1_loc_err_tuned_threshold"] = top1.threshold;
  }
  json["settings"] = settings;
  json["evaluation"] = evaluation;
  json["centre_box"] = result.images_with_box > 0 ? to_json(centre_baseline(result.truth_on_grid)) : Json();
  write_file_atomically(kept, json_text(json));
  return json;
}

std::string json_text(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

}  // namespace acol
