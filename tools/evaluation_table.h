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
  std::vector<std::optional<Interval>> intervals{};  // empty, or one a line: then a second column shows them
};
// Names of the lines, in the order of the figures of the columns made below. All in percent.
const std::vector<std::string>& evaluation_lines();
// with_errors: also the kinds of top-1 localization error.
Column column(const std::string& name, const Evaluation& evaluation, bool with_errors = false);
Column column(const std::string& name, const CentreBaseline& baseline);
Column whole_picture_column(const CentreBaseline& baseline);
// The mean of each line over columns, where all have it.
Column mean_column(const std::string& name, const std::vector<Column>& columns);

// A line for each class, with its figures in percent; an empty field where a figure does not exist.
std::string per_class_csv(const Evaluation& evaluation, const Dataset& data);

// For a terminal; and as a Markdown table. Lines that no column has a figure for are left out.
std::string text_table(const std::vector<Column>& columns);
std::string markdown_table(const std::vector<Column>& columns);

}  // namespace acol
