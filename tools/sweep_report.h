// What acol sweep leaves: a table of its runs and plots of their figures.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "acol/data/image.h"
#include "acol/train/config.h"
#include "plain_table.h"

namespace acol {

// A flag of acol train and the values that it takes.
struct VariedFlag {
  std::string flag;  // without dashes
  std::vector<std::string> values;
};
// "erase-threshold=0.5,0.6". UsageError: nothing before or after the '=', an empty value, a value twice.
VariedFlag parse_varied(const std::string& text);

struct SweepRun {
  std::string name;                 // of its folder: "erase-threshold-0.5"
  std::vector<std::string> values;  // one for each varied flag; empty for the CAM beside
  std::vector<std::size_t> choice;  // their places in the lists
  TrainConfig config;
  nlohmann::ordered_json evaluation{};  // to_json(Evaluation)
  std::string beside{};                 // folder of the CAM beside it; empty: none
};

struct SweepReport {
  std::vector<VariedFlag> varied;
  std::vector<SweepRun> runs;         // the last flag changes fastest
  std::vector<SweepRun> cams;         // CAM without what concerns erasing, one for each setting of the other flags
  nlohmann::ordered_json centre_box;  // to_json(CentreBaseline), or null
  std::string settings;               // lines for people: data, recipe, how it is measured
  nlohmann::ordered_json settings_json;
};

// A line a run: classification error, localization errors, GT-known, MaxBoxAcc and MaxBoxAccV2.
std::vector<TableRow> sweep_rows(const SweepReport& report);
std::string sweep_markdown(const SweepReport& report);
nlohmann::ordered_json sweep_json(const SweepReport& report);

// Localization on the left, errors on the right, over the values of the first flag. With one flag each panel shows
// several figures, CAM's dashed in the same colours; with more, each shows one figure, a line for each setting of the
// other flags.
Image sweep_plot(const SweepReport& report);

}  // namespace acol
