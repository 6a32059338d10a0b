// A recipe: one row of published tables as a file, with all that is needed to repeat it and what is said to come out.
// recipes/README.md describes the files.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "acol/evaluate/evaluate.h"
#include "acol/train/config.h"
#include "acol/weights/weight_names.h"

namespace acol {

// A number that someone published for a figure of the evaluation; or why there is none to compare with.
struct PublishedFigure {
  std::string figure;           // one of known_figures()
  std::optional<double> value;  // percent
  // "F": found in public material. "D": derived from such a number by arithmetic. "X": measured by us on public files.
  // Numbers that are only remembered are no reference: then there is no value, and `why` says so.
  std::string source;
  std::string from;  // where it stands, or how it was derived
  std::string why;   // without a value: why there is none
  std::string note;
};

// What recipes can ask for: keys of to_json(Evaluation), and some that `acol reproduce` adds.
struct FigureKind {
  std::string key;
  std::string name;  // for people
  bool lower_is_better = false;
};
const std::vector<FigureKind>& known_figures();
// Error naming the key, if there is none.
const FigureKind& figure_kind(const std::string& key);

// One way to measure the trained model.
struct RecipeProtocol {
  std::string name;   // a file name's worth: small letters, digits, '-'
  std::string title;  // a line for people
  EvaluateOptions options;
  bool foreign_labels = false;  // classes come from another classifier: a file for `acol reproduce --labels`
  bool tune_threshold = false;  // box thresholds are tried on the very test pictures, as the published numbers were
  bool pxap = false;            // needs masks
  std::vector<PublishedFigure> published;
  std::vector<std::string> notes;
  std::string settings;  // JSON: what decides the figures, to tell whether a measurement is of this protocol
};

struct RecipeSplits {
  std::string train, test;
};

struct Recipe {
  std::string name;  // the file's name without .json
  std::string title;
  std::string table;             // which published table the numbers are from
  std::string code, repository;  // the code base that is followed: official, hal or wsol; and where it is

  std::string data;  // "ILSVRC", "CUB-200-2011", ...
  int classes = 0;
  std::map<std::string, RecipeSplits> layouts;  // names of acol/data/layouts.h, and what the splits are called there
  std::int64_t train_pictures = 0, test_pictures = 0, test_boxes = 0;  // as published; no boxes: 0
  std::vector<std::string> data_notes;

  bool needs_weights = false;
  std::string weights_file;  // as published
  WeightsPreprocessing weights_preprocessing = WeightsPreprocessing::torchvision;
  std::vector<std::string> weights_notes;

  TrainConfig train;        // network.classes is `classes`
  bool best_state = false;  // the state with the lowest test error is measured, as some code does; else the last
  std::vector<RecipeProtocol> protocols;

  struct Sweep {
    std::string flag;  // of acol train, without dashes
    std::vector<std::string> values;
    std::string note;
  };
  std::optional<Sweep> sweep;
  std::vector<std::string> notes;  // known disagreements and defects
};

// Error naming the file and the key: not JSON, an unknown or missing key, a wrong type, a figure without a source or
// with both a value and a reason for none, a setting out of range, a name twice.
Recipe read_recipe(const std::filesystem::path& path);
Recipe parse_recipe(const std::string& text, const std::filesystem::path& path);

// The recipes in a folder, by name. Error as read_recipe; a folder without any.
std::vector<Recipe> read_recipes(const std::filesystem::path& folder);

}  // namespace acol
