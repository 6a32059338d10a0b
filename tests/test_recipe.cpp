// Recipes: every file of recipes/, and how damaged ones are refused.
#include "acol/train/recipe.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "tensor/check.h"
#include "tests/tree.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

const std::vector<Recipe>& recipes() {
  static const std::vector<Recipe> all = read_recipes(fs::path(ACOL_SOURCE_DIR) / "recipes");
  return all;
}

const Recipe& recipe(const std::string& name) {
  for (const Recipe& one : recipes())
    if (one.name == name) return one;
  throw Error("no recipe " + name);
}

const RecipeProtocol& protocol(const Recipe& recipe, const std::string& name) {
  for (const RecipeProtocol& one : recipe.protocols)
    if (one.name == name) return one;
  throw Error("no protocol " + name);
}

std::optional<double> published(const RecipeProtocol& protocol, const std::string& figure) {
  for (const PublishedFigure& one : protocol.published)
    if (one.figure == figure) return one.value;
  throw Error("no figure " + figure);
}

// A valid recipe as JSON, to be damaged.
Json valid() {
  return Json::parse(R"({
    "title": "t", "table": "t", "code": {"name": "acol"},
    "data": {"name": "d", "classes": 3, "layouts": {"folder": {"train": "train", "test": "val"}},
             "pictures": {"train": 18, "test": 9}},
    "train": {"preset": "scratch", "epochs": 2},
    "evaluate": [{"name": "a", "title": "t", "published": [
      {"figure": "pxap", "value": 3.5, "unit": "percent", "better": "higher", "source": "F", "from": "there"}]}]})");
}

// The Error for the valid recipe after a change.
std::string fault(const std::function<void(Json&)>& change) {
  Json json = valid();
  change(json);
  const std::string text = error_of([&] { parse_recipe(json.dump(), "my/recipe.json"); });
  CHECK_MESSAGE(text.starts_with("my/recipe.json"), text);
  return text;
}

}  // namespace

TEST_CASE("every recipe: numbers have sources, unknown ones have reasons, names are those of the table") {
  CHECK(recipes().size() >= 18);
  int values = 0;
  for (const Recipe& one : recipes()) {
    INFO(one.name);
    // data-method-code
    const std::string method = name_of(one.train.network.method);
    CHECK(contains(one.name, "-" + method));
    CHECK((one.code == "acol" || one.name.ends_with("-" + method + "-" + one.code)));
    CHECK((one.code == "acol") == one.repository.empty());
    CHECK(one.train.network.classes == one.classes);
    CHECK(one.needs_weights == (one.code != "acol"));
    CHECK(one.train_pictures > 0);
    CHECK(!one.notes.empty());
    for (const RecipeProtocol& how : one.protocols) {
      INFO(how.name);
      CHECK(!how.published.empty());
      for (const PublishedFigure& figure : how.published) {
        INFO(figure.figure);
        CHECK(figure.value.has_value() == (figure.source == "F" || figure.source == "D" || figure.source == "X"));
        CHECK(figure.value.has_value() == !figure.from.empty());
        CHECK(figure.value.has_value() == figure.why.empty());
        if (figure.source == "D") CHECK(contains(figure.from, "100 - "));
        values += figure.value.has_value();
        // A protocol has to be able to give what it is compared with.
        if (figure.figure.ends_with("_tuned")) CHECK(how.tune_threshold);
        if (figure.figure == "pxap") CHECK(how.pxap);
        if (figure.figure.starts_with("max_box_acc")) CHECK(how.options.max_box_acc);
        if (figure.figure.starts_with("star")) {
          REQUIRE(how.options.box_rule);
          CHECK(how.options.box_rule->name == BoxRuleName::dt_box);
        }
        const bool on_boxes = figure.figure != "pxap" && !contains(figure.figure, "cls");
        if (on_boxes) CHECK(one.test_boxes > 0);
      }
    }
  }
  CHECK(values >= 40);
}

TEST_CASE("derived numbers are the arithmetic they say") {
  for (const Recipe& one : recipes())
    for (const RecipeProtocol& how : one.protocols)
      for (const PublishedFigure& figure : how.published)
        if (figure.source == "D") {
          INFO(one.name, " ", figure.from);
          CHECK(*figure.value == doctest::Approx(100 - std::stod(figure.from.substr(6))).epsilon(1e-9));
        }
}

TEST_CASE("cells of the tables") {
  const Recipe& official = recipe("ilsvrc-acol-official");
  CHECK(published(protocol(official, "dt-box"), "top1_loc_err") == 54.17);
  CHECK(published(protocol(official, "dt-box"), "top5_loc_err") == 40.57);
  CHECK(!published(protocol(official, "dt-box"), "star_loc_err"));
  CHECK(published(protocol(official, "dpn-ensemble-labels"), "top1_loc_err") == 45.14);
  CHECK(protocol(official, "dpn-ensemble-labels").foreign_labels);
  CHECK(official.train_pictures == 1281167);
  CHECK(to_json(official.train) == to_json([] {
          TrainConfig config = preset_config(Preset::paper);
          config.network.classes = 1000;
          return config;
        }()));
  REQUIRE(official.sweep);
  CHECK(official.sweep->values == Strings{"0.5", "0.6", "0.7", "0.8", "0.9"});
  CHECK(published(protocol(recipe("ilsvrc-cam-official"), "dt-box"), "top5_loc_err") == 45.14);

  const Recipe& hal = recipe("cub-acol-hal");
  CHECK(hal.best_state);
  CHECK(hal.train.network.erase_threshold == 0.7);
  CHECK(hal.train.decay_epochs == std::vector<int>{40, 80, 120});
  CHECK(protocol(hal, "contour-15").options.input == TestInput::centre_warp);
  CHECK(protocol(hal, "contour-15").options.box_rule->threshold == 0.15);
  CHECK(published(protocol(hal, "contour-20"), "top1_loc_err") == 53.94);

  const Recipe& wsol = recipe("cub-acol-wsol");
  CHECK(wsol.train.network.map_stride == 16);
  CHECK(published(protocol(wsol, "ivr"), "max_box_acc_v2") == 60.22);
  CHECK(protocol(wsol, "ivr").options.normalisation->percentile == 45);
  CHECK(published(protocol(recipe("openimages-acol-wsol"), "min-max"), "pxap") == 54.34);
  // Methods of one code base and data set differ in the method alone, so that they can be compared.
  for (const Recipe& one : recipes()) {
    const std::size_t at = one.name.find("-acol");
    if (at == std::string::npos) continue;
    TrainConfig cam = recipe(std::string(one.name).replace(at, 5, "-cam")).train, acol = one.train;
    CHECK(cam.network.method == Method::cam);
    acol.network.method = Method::cam;
    acol.network.erase_threshold = cam.network.erase_threshold;
    CHECK(to_json(cam) == to_json(acol));
  }
}

TEST_CASE("no number is given that is only remembered") {
  // Remembered figures of the paper's tables: none of them may stand anywhere in the files.
  for (const auto& entry : fs::directory_iterator(fs::path(ACOL_SOURCE_DIR) / "recipes"))
    for (const char* number : {"36.66", "39.05", "53.28", "42.58", "35.22", "32.5", "29.0"}) {
      INFO(entry.path().string(), " ", number);
      CHECK(!contains(text_of_file(entry.path()), number));
    }
}

TEST_CASE("the valid recipe of this test is one") {
  const Recipe one = parse_recipe(valid().dump(), "my/recipe.json");
  CHECK(one.name == "recipe");
  CHECK(one.train.epochs == 2);
  CHECK(one.train.preset == Preset::scratch);
  CHECK(one.train.network.classes == 3);
  CHECK(!one.needs_weights);
  CHECK(one.layouts.at("folder").test == "val");
  CHECK(one.protocols[0].published[0].value == 3.5);
  CHECK(one.protocols[0].settings == "{}");
}

TEST_CASE("damaged recipes: the file, the key and what was expected") {
  CHECK(contains(fault([](Json& json) { json["colour"] = 1; }), "unknown key 'colour'"));
  CHECK(contains(fault([](Json& json) { json["data"]["colour"] = 1; }), "data: unknown key 'colour'"));
  CHECK(contains(fault([](Json& json) { json["evaluate"][0]["rule"] = 1; }), "evaluate[0]: unknown key 'rule'"));
  CHECK(contains(fault([](Json& json) { json["train"]["rate"] = 1; }), "unknown setting 'rate'"));
  CHECK(contains(fault([](Json& json) { json["train"]["epochs"] = 0; }), "epochs"));
  CHECK(contains(fault([](Json& json) { json["train"]["classes"] = 3; }), "classes"));
  CHECK(contains(fault([](Json& json) { json["train"].erase("preset"); }), "preset"));
  CHECK(contains(fault([](Json& json) { json.erase("title"); }), "'title' is missing"));
  CHECK(contains(fault([](Json& json) { json["title"] = 4; }), "title: expected a text"));
  CHECK(contains(fault([](Json& json) { json["code"]["name"] = "mine"; }), "code.name"));
  CHECK(contains(fault([](Json& json) {
                   json["data"]["layouts"] = {{"zip", {{"train", "a"}, {"test", "b"}}}};
                 }),
                 "zip"));
  CHECK(contains(fault([](Json& json) { json["data"]["pictures"]["train"] = -1; }), "pictures.train"));
  CHECK(contains(fault([](Json& json) { json["model"] = "middle"; }), "last or best"));
  CHECK(contains(fault([](Json& json) { json["evaluate"] = Json::array(); }), "at least one protocol"));
  CHECK(contains(fault([](Json& json) { json["evaluate"].push_back(json["evaluate"][0]); }), "twice"));
  CHECK(contains(fault([](Json& json) { json["evaluate"][0]["name"] = "../a"; }), "name"));
  CHECK(contains(fault([](Json& json) { json["evaluate"][0]["box_rule"] = "best"; }), "box_rule"));
  CHECK(contains(fault([](Json& json) { json["evaluate"][0]["input"] = "tilted"; }), "input"));
  CHECK(contains(fault([](Json& json) {
                   json["evaluate"][0]["box_rule"] = "dt-box";
                   json["evaluate"][0]["tune_threshold"] = true;
                 }),
                 "no threshold"));
  const auto figure = [](const std::function<void(Json&)>& change) {
    return fault([&](Json& json) { change(json["evaluate"][0]["published"][0]); });
  };
  CHECK(contains(figure([](Json& json) { json.erase("source"); }), "'source' is missing"));
  CHECK(contains(figure([](Json& json) { json["source"] = "M"; }), "expected F (found)"));
  CHECK(contains(figure([](Json& json) { json.erase("from"); }), "'from' is missing"));
  CHECK(contains(figure([](Json& json) { json["value"] = nullptr; }), "'reason' is missing"));
  CHECK(contains(figure([](Json& json) { json["reason"] = "none"; }), "unknown key 'reason'"));
  CHECK(contains(figure([](Json& json) { json["value"] = 101; }), "value"));
  CHECK(contains(figure([](Json& json) { json["better"] = "lower"; }), "higher is better"));
  CHECK(contains(figure([](Json& json) { json["figure"] = "beauty"; }), "unknown figure 'beauty'"));
  CHECK(contains(figure([](Json& json) { json["unit"] = "points"; }), "unit"));

  CHECK(contains(error_of([] { parse_recipe("{", "a.json"); }), "a.json: not a recipe"));
  CHECK(contains(error_of([] { parse_recipe("[]", "a.json"); }), "a.json: expected an object"));
  const Tree tree;
  CHECK(contains(error_of([&] { read_recipe(tree.root() / "none.json"); }), "no such recipe"));
  CHECK(contains(error_of([&] { read_recipes(tree.root()); }), "no recipe"));
}
