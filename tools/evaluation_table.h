// Results of evaluations side by side, and what one gets without looking at the pictures.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "acol/data/dataset.h"
#include "acol/evaluate/centre_box.h"
#include "acol/evaluate/evaluate.h"

namespace acol {

nlohmann::ordered_json to_json(const CentreBaseline& baseline);

// A column of a table: a name and for each line a figure, if there is one.
struct Column {
  std::string name;
  std::vector<std::optional<double>> figures;
};
// Names of the lines, in the order of the figures of the columns made below. All in percent.
const std::vector<std::string>& evaluation_lines();
Column column(const std::string& name, const Evaluation& evaluation);
Column column(const std::string& name, const CentreBaseline& baseline);
// The mean of each line over columns, where all have it.
Column mean_column(const std::string& name, const std::vector<Column>& columns);

// For a terminal; and as a Markdown table. Lines that no column has a figure for are left out.
std::string text_table(const std::vector<Column>& columns);
std::string markdown_table(const std::vector<Column>& columns);

}  // namespace acol
