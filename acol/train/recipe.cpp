#include "acol/train/recipe.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "acol/data/layouts.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

// One JSON object of a recipe. Every key that is read is remembered, so that what remains can be named as unknown.
class Part {
 public:
  Part(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    check(json.is_object(), where_, ": expected an object, got ", json.dump());
  }

  const Json& json() const { return json_; }
  bool has(const std::string& key) const { return json_.contains(key); }
  std::string path(const std::string& key) const { return where_ + "." + key; }

  const Json& at(const std::string& key) {
    check(has(key), where_, ": '", key, "' is missing");
    seen_.insert(key);
    return json_.at(key);
  }
  std::string text(const std::string& key) {
    const Json& json = at(key);
    check(json.is_string() && !json.get<std::string>().empty(), path(key), ": expected a text, got ", json.dump());
    return json.get<std::string>();
  }
  std::string text_or(const std::string& key, const std::string& otherwise) { return has(key) ? text(key) : otherwise; }
  bool truth_or(const std::string& key, bool otherwise) {
    if (!has(key)) return otherwise;
    const Json& json = at(key);
    check(json.is_boolean(), path(key), ": expected true or false, got ", json.dump());
    return json.get<bool>();
  }
  std::int64_t count(const std::string& key) {
    const Json& json = at(key);
    check(json.is_number_unsigned() && json.get<std::uint64_t>() < (std::uint64_t{1} << 40), path(key),
          ": expected a whole number, 0 or more, got ", json.dump());
    return json.get<std::int64_t>();
  }
  std::vector<std::string> texts_or_none(const std::string& key) {
    if (!has(key)) return {};
    const Json& json = at(key);
    check(json.is_array(), path(key), ": expected a list of texts, got ", json.dump());
    std::vector<std::string> list;
    for (const Json& item : json) {
      check(item.is_string(), path(key), ": expected a list of texts, got ", item.dump(), " in it");
      list.push_back(item.get<std::string>());
    }
    return list;
  }
  Part part(const std::string& key) { return {at(key), path(key)}; }
  // A list of objects.
  std::vector<Part> parts(const std::string& key) {
    const Json& json = at(key);
    check(json.is_array(), path(key), ": expected a list, got ", json.dump());
    std::vector<Part> list;
    for (std::size_t i = 0; i < json.size(); ++i) list.emplace_back(json[i], message(path(key), "[", i, "]"));
    return list;
  }

  void end() const {
    for (const auto& [key, value] : json_.items()) check(seen_.count(key) > 0, where_, ": unknown key '", key, "'");
  }

 private:
  const Json& json_;
  std::string where_;
  std::set<std::string> seen_;
};

// Runs `parse`; an Error gets the place in front.
template <class Parse>
auto at_place(const std::string& where, const Parse& parse) {
  try {
    return parse();
  } catch (const Error& error) {
    fail(where, ": ", error.what());
  }
}

PublishedFigure read_figure(Part part) {
  PublishedFigure figure;
  figure.figure = part.text("figure");
  const FigureKind& kind = at_place(part.path("figure"), [&] { return figure_kind(figure.figure); });
  const std::string better = part.text("better"), expected = kind.lower_is_better ? "lower" : "higher";
  check(better == expected, part.path("better"), ": of ", figure.figure, ", ", expected, " is better");
  const std::string unit = part.text("unit");
  check(unit == "percent", part.path("unit"), ": expected percent, got ", unit);
  const Json& value = part.at("value");
  if (value.is_null()) {
    figure.why = part.text("reason");
  } else {
    check(value.is_number() && value >= 0 && value <= 100, part.path("value"),
          ": expected a number of percent or null, got ", value.dump());
    figure.value = value.get<double>();
    figure.source = part.text("source");
    const bool known = figure.source == "F" || figure.source == "D" || figure.source == "X";
    check(known, part.path("source"), ": expected F (found), D (derived) or X (measured), got ", figure.source);
    figure.from = part.text("from");
  }
  figure.note = part.text_or("note", "");
  part.end();
  return figure;
}

RecipeProtocol read_protocol(Part part) {
  RecipeProtocol protocol;
  protocol.name = part.text("name");
  check(protocol.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos,
        part.path("name"), ": expected small letters, digits and '-', got '", protocol.name, "'");
  protocol.title = part.text("title");
  EvaluateOptions& options = protocol.options;
  at_place(part.path("input"), [&, input = part.text_or("input", "warp")] {
    if (input == "ten-crop")
      options.ten_crop = TenCrop::official;
    else if (input == "ten-crop-cam")
      options.ten_crop = TenCrop::cam;
    else
      options.input = parse_test_input(input);
  });
  if (part.has("box_rule"))
    options.box_rule = at_place(part.path("box_rule"), [text = part.text("box_rule")] { return parse_box_rule(text); });
  if (part.has("normalise"))
    options.normalisation =
        at_place(part.path("normalise"), [text = part.text("normalise")] { return parse_normalisation(text); });
  const std::string hole = part.text_or("erase_test_label", "truth");
  check(hole == "truth" || hole == "predicted", part.path("erase_test_label"), ": expected truth or predicted, got ",
        hole);
  if (hole == "predicted") options.erase_test_label = EraseTestLabel::predicted;
  options.clip_truth = part.truth_or("clip_truth", false);
  options.max_box_acc = part.truth_or("max_box_acc", true);
  protocol.foreign_labels = part.truth_or("foreign_labels", false);
  protocol.tune_threshold = part.truth_or("tune_threshold", false);
  protocol.pxap = part.truth_or("pxap", false);
  check(!protocol.tune_threshold || !options.box_rule || options.box_rule->has_threshold(), part.path("tune_threshold"),
        ": the box rule ", options.box_rule ? name_of(*options.box_rule) : "", " has no threshold");
  for (const Part& figure : part.parts("published")) protocol.published.push_back(read_figure(figure));
  protocol.notes = part.texts_or_none("notes");
  part.end();
  Json settings = part.json();
  for (const char* key : {"name", "title", "published", "notes"}) settings.erase(key);
  protocol.settings = settings.dump();
  return protocol;
}

bool is_layout(const std::string& name) {
  const auto& all = layouts();
  return std::any_of(all.begin(), all.end(), [&](const Layout& layout) { return name == layout.name; });
}

void read_data(Part part, Recipe& recipe) {
  recipe.data = part.text("name");
  const std::int64_t classes = part.count("classes");
  check(classes >= 2 && classes <= 1000000, part.path("classes"), ": expected at least 2, got ", classes);
  recipe.classes = static_cast<int>(classes);
  const Json& places = part.at("layouts");
  check(places.is_object() && !places.empty(), part.path("layouts"), ": expected at least one layout");
  for (const auto& [name, json] : places.items()) {
    Part splits(json, part.path("layouts") + "." + name);
    check(is_layout(name), part.path("layouts"), ": unknown layout '", name, "', expected one of ", layout_names());
    recipe.layouts[name] = {splits.text("train"), splits.text("test")};
    splits.end();
  }
  Part pictures = part.part("pictures");
  recipe.train_pictures = pictures.count("train");
  recipe.test_pictures = pictures.count("test");
  pictures.end();
  if (part.has("test_boxes")) recipe.test_boxes = part.count("test_boxes");
  recipe.data_notes = part.texts_or_none("notes");
  part.end();
}

void read_weights(Part part, Recipe& recipe) {
  recipe.needs_weights = true;
  recipe.weights_file = part.text("file");
  recipe.weights_preprocessing =
      at_place(part.path("preprocessing"),
               [text = part.text_or("preprocessing", "torchvision")] { return parse_weights_preprocessing(text); });
  recipe.weights_notes = part.texts_or_none("notes");
  part.end();
}

// The preset with what differs from it.
TrainConfig read_training(const Json& json, const std::string& where, int classes) {
  check(json.is_object() && json.contains("preset"), where, ": expected an object with a 'preset'");
  return at_place(where, [&] {
    check(json.at("preset").is_string(), "preset must be a text, got ", json.at("preset").dump());
    Json merged = Json::parse(to_json(preset_config(parse_preset(json.at("preset").get<std::string>()))));
    check(!json.contains("classes"), "unknown setting 'classes': it stands in data.classes");
    for (const auto& [key, value] : json.items()) merged[key] = value;
    merged["classes"] = classes;
    TrainConfig config = train_config_from_json(merged.dump());
    validate(config);
    return config;
  });
}

Recipe read_all(const Json& json, const fs::path& path) {
  Recipe recipe;
  recipe.name = path.stem().string();
  Part top(json, path.string());
  recipe.title = top.text("title");
  recipe.table = top.text("table");
  Part code = top.part("code");
  recipe.code = code.text("name");
  check(recipe.code == "official" || recipe.code == "hal" || recipe.code == "wsol" || recipe.code == "acol",
        code.path("name"), ": expected official, hal, wsol or acol, got ", recipe.code);
  recipe.repository = code.text_or("repository", "");
  code.end();
  read_data(top.part("data"), recipe);
  if (top.has("weights")) read_weights(top.part("weights"), recipe);
  recipe.train = read_training(top.at("train"), top.path("train"), recipe.classes);
  const std::string model = top.text_or("model", "last");
  check(model == "last" || model == "best", top.path("model"), ": expected last or best, got ", model);
  recipe.best_state = model == "best";
  std::set<std::string> names;
  for (const Part& part : top.parts("evaluate")) {
    recipe.protocols.push_back(read_protocol(part));
    check(names.insert(recipe.protocols.back().name).second, top.path("evaluate"), ": '", recipe.protocols.back().name,
          "' is there twice");
  }
  check(!recipe.protocols.empty(), top.path("evaluate"), ": expected at least one protocol");
  if (top.has("sweep")) {
    Part part = top.part("sweep");
    Recipe::Sweep sweep{part.text("flag"), part.texts_or_none("values"), part.text_or("note", "")};
    check(!sweep.values.empty(), part.path("values"), ": expected at least one value");
    part.end();
    recipe.sweep = sweep;
  }
  recipe.notes = top.texts_or_none("notes");
  top.end();
  return recipe;
}

}  // namespace

const std::vector<FigureKind>& known_figures() {
  static const std::vector<FigureKind> kinds{
      {"top1_cls_err", "classification error, top-1", true},
      {"top5_cls_err", "classification error, top-5", true},
      {"top1_loc_err", "localization error, top-1", true},
      {"top5_loc_err", "localization error, top-5", true},
      {"star_loc_err", "localization error, star list", true},
      {"top1_loc_err_without_blacklist", "localization error without blacklist, top-1", true},
      {"top5_loc_err_without_blacklist", "localization error without blacklist, top-5", true},
      {"star_loc_err_without_blacklist", "localization error without blacklist, star list", true},
      {"top1_loc_err_tuned", "localization error, top-1, best threshold for these pictures", true},
      {"gt_known_loc", "GT-known localization", false},
      {"gt_known_loc_tuned", "GT-known localization, best threshold for these pictures", false},
      {"corloc", "CorLoc, mean of the classes", false},
      {"max_box_acc", "MaxBoxAcc", false},
      {"max_box_acc_v2", "MaxBoxAccV2", false},
      {"pxap", "PxAP", false},
  };
  return kinds;
}

const FigureKind& figure_kind(const std::string& key) {
  for (const FigureKind& kind : known_figures())
    if (kind.key == key) return kind;
  fail("unknown figure '", key, "'");
}

Recipe parse_recipe(const std::string& text, const fs::path& path) {
  try {
    return read_all(Json::parse(text), path);
  } catch (const Json::exception& error) {
    fail(path.string(), ": not a recipe: ", error.what());
  }
}

Recipe read_recipe(const fs::path& path) {
  std::error_code error;
  check(fs::is_regular_file(path, error), path.string(), ": no such recipe");
  return parse_recipe(read_file(path), path);
}

std::vector<Recipe> read_recipes(const fs::path& folder) {
  std::error_code error;
  check(fs::is_directory(folder, error), folder.string(), ": no such folder of recipes");
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  check(!files.empty(), folder.string(), ": no recipe (*.json) in it");
  std::sort(files.begin(), files.end());
  std::vector<Recipe> recipes;
  for (const fs::path& file : files) recipes.push_back(read_recipe(file));
  return recipes;
}

}  // namespace acol
