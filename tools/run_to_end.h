// Trainings and evaluations that belong to a larger command: to their end, or from where they stopped.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "acol/data/dataset.h"
#include "acol/evaluate/evaluate.h"
#include "acol/train/trainer.h"
#include "progress.h"

namespace acol {

// What a training tells: its steps on the progress line; epochs and notes as lines on stderr, that open with the name
// if there is one. Ctrl-C stops it.
TrainEvents shown_events(Progress& progress, const std::string& name = "");

// Trains in run.out, which may hold an unfinished or a finished run of the same settings, and returns the file of the
// last state. `config` has the number of classes. val may be null. A progress line is shown under `name`; what ends a
// run goes to stderr. Throws Interrupted after Ctrl-C, with the state saved; Error if the folder has another run.
std::filesystem::path run_to_end(const TrainConfig& config, const Dataset& data, const Dataset* val, RunOptions run,
                                 const std::string& name);

// Keeps the settings of a command in a file, so that the same command goes on and another one does not spoil what is
// there. The first call writes them; later ones throw an Error naming the first that differs.
void hold_settings(const std::filesystem::path& file, const nlohmann::ordered_json& settings);

// What a file that this program wrote holds, if it is there, whole, and made with these settings ("settings" in it);
// else null.
nlohmann::ordered_json finished_json(const std::filesystem::path& file, const nlohmann::ordered_json& settings);

// The evaluation of a trained model: {"settings", "evaluation": to_json(Evaluation), "centre_box": of the data, or null
// if they have no box}. With thresholds for curves also the best of each curve, as "gt_known_loc_tuned" and
// "top1_loc_err_tuned" and their "_threshold". Taken from the file `kept` if it is there, made with these settings by
// this version of the program; else it is written there. `settings` has to tell all that decides the figures but the
// data. Shows its progress, and stops after Ctrl-C. Error: the model has other classes.
nlohmann::ordered_json evaluated_once(const std::filesystem::path& kept, nlohmann::ordered_json settings,
                                      const std::filesystem::path& file, const Dataset& data, EvaluateOptions how,
                                      const std::string& name);

// JSON has to be UTF-8, a path need not be: what is not becomes U+FFFD.
std::string json_text(const nlohmann::ordered_json& json);

}  // namespace acol
