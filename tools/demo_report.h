// What acol demo leaves to look at: a contact sheet of heat maps, and the table.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "acol/data/dataset.h"
#include "acol/data/image.h"
#include "acol/evaluate/centre_box.h"
#include "acol/evaluate/evaluate.h"
#include "acol/evaluate/probe.h"
#include "acol/localizer.h"

namespace acol {

// One repetition: CAM and ACoL, trained with the same recipe from the same seed.
struct DemoResult {
  std::uint64_t seed = 1;
  Evaluation cam, acol;
  ProbeResult probe;
};

// The first `rows` pictures of the set, one of each class in turn: the picture with its true box; CAM's map; the maps
// of ACoL's branches; the fused map. Each map is that of the class which the model answers, with the box it gives.
Image contact_sheet(const Dataset& val, const Localizer& cam, const Localizer& acol, int rows, double box_threshold);

struct DemoReport {
  std::vector<DemoResult> results;
  std::optional<CentreBaseline> centre;
  int classes = 0;
  std::string settings;  // Markdown lines: data, recipe
};

// The table of means and what they say about the paper's claim, for a terminal.
std::string demo_summary(const DemoReport& report);
std::string demo_markdown(const DemoReport& report);
// All figures, and under "settings" and "summary" the texts of that name: for later calls with the same settings.
std::string demo_json(const DemoReport& report);

}  // namespace acol
