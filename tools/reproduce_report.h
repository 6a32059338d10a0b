// What acol reproduce leaves: our figures beside the published ones.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "acol/train/recipe.h"
#include "plain_table.h"

namespace acol {

struct ProtocolResult {
  nlohmann::ordered_json evaluation;  // to_json(Evaluation) with what the recipe asks for besides; null: not measured
  nlohmann::ordered_json centre_box;  // or null
  std::string why_not;                // where it was not measured
};

struct ReproduceReport {
  Recipe recipe;
  bool trial = false;
  std::vector<std::string> differences;  // from the recipe, a line each
  std::string model;                     // the file that was measured
  std::string data;                      // a line: where it is, how many pictures
  std::vector<ProtocolResult> results;   // one a protocol of the recipe
};

// For a terminal; as Markdown, with all notes; and all figures.
std::string reproduce_text(const ReproduceReport& report);
std::string reproduce_markdown(const ReproduceReport& report);
nlohmann::ordered_json reproduce_json(const ReproduceReport& report);

}  // namespace acol
