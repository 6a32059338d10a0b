// acol reproduce and acol sweep as a user runs them, on a drawn set and in seconds.
#include <doctest/doctest.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "acol/data/image.h"
#include "program.h"

using namespace acol;
namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

namespace {

Output run(const Words& words) { return run_program(joined(words, {"--threads", "1"}), {"OMP_WAIT_POLICY=passive"}); }

Json json_of(const std::string& path) { return Json::parse(text_of_file(path)); }

constexpr const char* recipe_text = R"({
  "title": "a drawn set", "table": "nowhere", "code": {"name": "acol"},
  "data": {"name": "drawn", "classes": 3, "layouts": {"folder": {"train": "train", "test": "val"}},
           "pictures": {"train": 18, "test": 9}, "test_boxes": 9},
  "train": {"preset": "scratch", "arch": "vgg11_bn", "width": 0.03125, "resize": 36, "crop": 32, "epochs": 3,
            "batch_size": 4},
  "evaluate": [
    {"name": "plain", "title": "whole pictures", "published": [
      {"figure": "top1_loc_err", "value": 1.5, "unit": "percent", "better": "lower", "source": "F", "from": "a page"},
      {"figure": "star_loc_err", "value": null, "unit": "percent", "better": "lower", "reason": "nobody knows"}]},
    {"name": "tuned", "title": "tuned", "tune_threshold": true, "max_box_acc": false, "published": [
      {"figure": "gt_known_loc_tuned", "value": 99, "unit": "percent", "better": "higher", "source": "X", "from": "us"}]},
    {"name": "labels", "title": "of another", "foreign_labels": true, "max_box_acc": false, "published": [
      {"figure": "top1_cls_err", "value": 0, "unit": "percent", "better": "lower", "source": "D", "from": "100 - 100"}]},
    {"name": "masks", "title": "against masks", "pxap": true, "max_box_acc": false, "published": [
      {"figure": "pxap", "value": 50, "unit": "percent", "better": "higher", "source": "F", "from": "a page"}]}],
  "sweep": {"flag": "erase-threshold", "values": ["0.5", "0.8"]},
  "notes": ["a defect"]})";

struct World {
  TemporaryFolder folder;
  std::string data = folder / "data", recipe = folder / "recipes/drawn.json";
  Output synth, done;
  World() {
    fs::create_directories(folder.path() / "recipes");
    write(recipe, recipe_text);
    synth = run_program({"synth", "--out", data, "--classes", "3", "--train", "6", "--val", "3", "--size", "40"});
    done = run(command("done"));
  }
  std::string out(const std::string& name) const { return folder / name; }
  Words command(const std::string& name) const {
    return {"reproduce", recipe, "--data", data, "--out", out(name), "--save-every", "1"};
  }
};

const World& world() {
  static const World one;
  REQUIRE_MESSAGE(one.synth.status == 0, one.synth.err);
  REQUIRE_MESSAGE(one.done.status == 0, one.done.err);
  return one;
}

void check_error(const Words& words, int status, const std::string& part) {
  check_one_line_error(words, run(words), status, part);
}

const Json& figure(const Json& results, std::size_t protocol, std::size_t index) {
  return results.at("protocols").at(protocol).at("figures").at(index);
}

}  // namespace

TEST_CASE("a recipe to its end: ours beside the published, as acol eval measures it") {
  const World& w = world();
  CHECK(contains(w.done.out, "Nothing that the recipe says was done differently."));
  CHECK(contains(w.done.out, "[F] a page"));
  CHECK(contains(w.done.out, "none: nobody knows"));
  CHECK(contains(w.done.out, "not measured: it takes its classes from another classifier"));
  CHECK(!contains(w.done.out, "TRIAL"));
  CHECK(contains(text_of_file(w.out("done") + "/results.md"), "- a defect"));

  const Json results = json_of(w.out("done") + "/results.json");
  CHECK(results.at("trial") == false);
  CHECK(results.at("differences").empty());
  const std::string model = w.out("done") + "/run/last.safetensors", eval = w.out("eval.json");
  CHECK(results.at("model") == model);
  const Output measured = run({"eval", "--model", model, "--data", w.data, "--out", eval});
  REQUIRE_MESSAGE(measured.status == 0, measured.err);
  const Json expected = json_of(eval), ours = results.at("protocols").at(0).at("evaluation");
  for (const char* key : {"top1_cls_err", "top1_loc_err", "gt_known_loc", "max_box_acc", "max_box_acc_v2"})
    CHECK(ours.at(key) == expected.at(key));
  CHECK(figure(results, 0, 0).at("ours") == expected.at("top1_loc_err"));
  CHECK(figure(results, 0, 0).at("difference").get<double>() ==
        doctest::Approx(expected.at("top1_loc_err").get<double>() - 1.5));
  CHECK(figure(results, 0, 1).at("published").is_null());
  CHECK(figure(results, 0, 1).at("difference").is_null());
  // Tuned on these pictures, it is at least as good as untuned.
  CHECK(figure(results, 1, 0).at("ours") >= expected.at("gt_known_loc"));
  CHECK(figure(results, 2, 0).at("ours").is_null());
}

TEST_CASE("again: nothing is done twice, and the report is the same") {
  const World& w = world();
  const auto before = fs::last_write_time(w.out("done") + "/evaluation-plain.json");
  const std::string results = text_of_file(w.out("done") + "/results.json");
  const Output again = run(w.command("done"));
  CHECK(again.status == 0);
  CHECK(again.out == w.done.out);
  CHECK(contains(again.err, "already trained"));
  CHECK(fs::last_write_time(w.out("done") + "/evaluation-plain.json") == before);
  CHECK(text_of_file(w.out("done") + "/results.json") == results);

  // Classes from elsewhere: the true ones, so that nothing is classified wrongly; then the same class for all, which is
  // another measurement.
  std::vector<std::string> classes;
  for (const auto& entry : fs::directory_iterator(w.data + "/val"))
    if (entry.is_directory()) classes.push_back(entry.path().filename().string());
  REQUIRE(classes.size() == 3);
  const auto error_with = [&](const std::string& name, const std::function<std::string(const std::string&)>& answer) {
    std::string lines;
    for (const std::string& one : classes)
      for (const auto& file : fs::directory_iterator(w.data + "/val/" + one))
        lines += "val/" + one + "/" + file.path().filename().string() + "," + answer(one) + "\n";
    write(w.out(name), lines);
    const Output with = run(joined(w.command("done"), {"--labels", "labels=" + w.out(name)}));
    REQUIRE_MESSAGE(with.status == 0, with.err);
    CHECK(!contains(with.out, "not measured"));
    return figure(json_of(w.out("done") + "/results.json"), 2, 0).at("ours").get<double>();
  };
  CHECK(error_with("true.csv", [](const std::string& one) { return one; }) == 0);
  CHECK(error_with("same.csv", [&](const std::string&) { return classes[0]; }) == doctest::Approx(200.0 / 3));
}

TEST_CASE("PxAP: what acol score gives for the maps that acol eval writes") {
  const World& w = world();
  const std::string model = w.out("done") + "/run/last.safetensors", maps = w.out("maps"), out = w.out("score.json");
  const Output eval = run({"eval", "--model", model, "--data", w.data, "--maps", maps, "--no-sweep"});
  REQUIRE_MESSAGE(eval.status == 0, eval.err);
  const Output score = run({"score", "--maps", maps, "--data", w.data, "--split", "val", "--out", out});
  REQUIRE_MESSAGE(score.status == 0, score.err);
  const double ours = figure(json_of(w.out("done") + "/results.json"), 3, 0).at("ours").get<double>();
  CHECK(ours == doctest::Approx(json_of(out).at("pxap").get<double>()).epsilon(1e-9));
}

TEST_CASE("stopped and gone on with: the same weights and figures") {
  const World& w = world();
  Output output;
  int stops = 0;
  for (int start = 0; start < 6; ++start) {
    // Once it has saved a step of its own: its handler of signals is there by then.
    const fs::path state = w.out("stopped") + "/run/last.safetensors";
    const auto saved = [&] {
      std::error_code missing;
      return fs::last_write_time(state, missing);
    };
    const auto before = saved();
    Process process(joined(w.command("stopped"), {"--threads", "1"}), {"OMP_WAIT_POLICY=passive"});
    if (start < 3) {
      while (!process.ended() && saved() == before) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (!process.ended()) process.send(start == 2 ? SIGKILL : SIGINT);
    }
    output = process.wait();
    if (output.status == 0) break;
    CHECK_MESSAGE((output.status == 130 || output.status == 128 + SIGKILL), output.err);
    stops += contains(output.err, "the same command goes on from here") || output.status == 128 + SIGKILL;
  }
  REQUIRE_MESSAGE(output.status == 0, output.err);
  CHECK(stops >= 1);
  CHECK(text_of_file(w.out("stopped") + "/run/last.safetensors") ==
        text_of_file(w.out("done") + "/run/last.safetensors"));
  for (const char* name : {"plain", "tuned"}) {
    const std::string file = std::string("/evaluation-") + name + ".json";
    CHECK(json_of(w.out("stopped") + file).at("evaluation") == json_of(w.out("done") + file).at("evaluation"));
  }
}

TEST_CASE("a trial says so, loudly") {
  const World& w = world();
  const Words trial = joined(w.command("trial"), {"--epochs", "1", "--per-class", "2", "--classes", "2"});
  const Output output = run(trial);
  REQUIRE_MESSAGE(output.status == 0, output.err);
  CHECK(contains(output.out, "TRIAL AT SMALL SCALE"));
  CHECK(contains(output.err, "TRIAL AT SMALL SCALE"));
  CHECK(contains(output.out, "trial: 1 epoch where the recipe has 3"));
  CHECK(contains(output.out, "4 pictures to train on where 18 are published"));
  CHECK(!contains(output.out, " worse"));
  CHECK(contains(text_of_file(w.out("trial") + "/results.md"), "**TRIAL"));
  CHECK(json_of(w.out("trial") + "/results.json").at("trial") == true);
  CHECK(json_of(w.out("trial") + "/results.json").at("differences").size() == 5);
  // Neither goes on with the other's run.
  check_error(w.command("trial"), 1, "begun with other settings");
}

TEST_CASE("a protocol that needs masks, on data without: the others are measured, and the report says why") {
  const World& w = world();
  const std::string data = w.out("no-masks");
  fs::copy(w.data, data, fs::copy_options::recursive);
  fs::remove_all(data + "/val_masks");
  const Output output =
      run({"reproduce", w.recipe, "--data", data, "--out", w.out("maskless"), "--epochs", "1", "--per-class", "2"});
  REQUIRE_MESSAGE(output.status == 0, output.err);
  CHECK(contains(output.out, "not measured: it needs masks"));
  const Json results = json_of(w.out("maskless") + "/results.json");
  CHECK(figure(results, 0, 0).at("ours").is_number());
  CHECK(figure(results, 3, 0).at("ours").is_null());
}

TEST_CASE("the list") {
  const World& w = world();
  const Output all = run({"reproduce", "--list", "--no-measure"});
  REQUIRE_MESSAGE(all.status == 0, all.err);
  for (const auto& entry : fs::directory_iterator(fs::path(ACOL_SOURCE_DIR) / "recipes"))
    if (entry.path().extension() == ".json") CHECK(contains(all.out, entry.path().stem().string() + " "));
  const Output measured = run({"reproduce", "--list", "--recipes", w.folder / "recipes"});
  REQUIRE_MESSAGE(measured.status == 0, measured.err);
  CHECK(contains(measured.out, "drawn"));
  CHECK(contains(measured.out, "0 s"));  // 54 tiny pictures
  CHECK(contains(measured.out, "localization error, top-1 1.5 [F]"));
}

TEST_CASE("what reproduce refuses, in one line") {
  const World& w = world();
  const std::string out = w.out("refused");
  check_error({"reproduce", "--data", w.data, "--out", out}, 2, "RECIPE");
  check_error({"reproduce", w.recipe, "--out", out}, 2, "--data");
  check_error({"reproduce", w.recipe, "--data", w.data}, 2, "--out");
  check_error({"reproduce", "no-such-recipe", "--data", w.data, "--out", out}, 1, "no recipe 'no-such-recipe'");
  check_error({"reproduce", w.out("none.json"), "--data", w.data, "--out", out}, 1, "none.json: no such recipe");
  check_error({"reproduce", w.recipe, "--data", w.out("none"), "--out", out}, 1, "none");
  check_error({"reproduce", "cub-acol-official", "--data", w.data, "--out", out}, 2, "--weights");
  check_error({"reproduce", "cub-acol-official", "--data", w.data, "--out", out, "--epochs", "1"}, 1,
              "in the layout cub, wsol");
  check_error(joined(w.command("refused"), {"--labels", "plain=x"}), 2, "PROTOCOL=FILE");
  check_error(joined(w.command("refused"), {"--splits", "train"}), 2, "--splits");
  check_error(joined(w.command("refused"), {"--classes", "4"}), 1, "4");
  write(w.out("damaged.json"), "{\"title\": 3}");
  check_error({"reproduce", w.out("damaged.json"), "--data", w.data, "--out", out}, 1, "damaged.json.title");
}

TEST_CASE("a sweep: a run for each value, CAM beside, a table and a plot") {
  const World& w = world();
  const std::string out = w.out("sweep");
  const Words flags{"--arch", "vgg11_bn", "--width",  "0.03125", "--resize",     "36",
                    "--crop", "32",       "--epochs", "1",       "--batch-size", "6"};
  const Words command =
      joined({"sweep", "--data", w.data, "--out", out, "--vary", "erase-threshold=0.5,0.9", "--cam"}, flags);
  const Output first = run(command);
  REQUIRE_MESSAGE(first.status == 0, first.err);
  const Json results = json_of(out + "/results.json");
  REQUIRE(results.at("runs").size() == 2);
  REQUIRE(results.at("cam").size() == 1);
  CHECK(results.at("runs")[1].at("values").at("erase-threshold") == "0.9");
  CHECK(results.at("runs")[1].at("config").at("erase_threshold") == 0.9);
  CHECK(results.at("runs")[0].at("cam") == "cam");
  CHECK(results.at("cam")[0].at("config").at("method") == "cam");
  for (const char* line : {"\nerase-threshold-0.5 ", "\nerase-threshold-0.9 ", "\ncam ", "\ncentre box "})
    CHECK(contains(first.out, line));
  CHECK(contains(text_of_file(out + "/results.md"), "| erase-threshold-0.9 |"));
  CHECK(read_image(out + "/results.png").width > 1000);
  // A run is what acol train makes of the same flags.
  const Output train =
      run(joined({"train", "--data", w.data, "--out", w.out("alone"), "--erase-threshold", "0.9"}, flags));
  REQUIRE_MESSAGE(train.status == 0, train.err);
  const auto weights = [](const std::string& run_folder) {
    const std::string text = text_of_file(run_folder + "/last.safetensors");
    return text.substr(text.size() - 100000);  // past the header, which tells validation figures
  };
  CHECK(weights(w.out("alone")) == weights(out + "/erase-threshold-0.9"));

  const Output again = run(command);
  CHECK(again.out == first.out);
  CHECK(json_of(out + "/results.json") == results);
  check_error(joined(command, {"--seed", "2"}), 1, "begun with other settings");
}

TEST_CASE("a sweep over several flags, and one of a recipe") {
  const World& w = world();
  const Output grid = run({"sweep", "--data", w.data, "--out", w.out("grid"), "--recipe", w.recipe, "--vary",
                           "seed=1,2", "--vary", "method=acol,cam", "--epochs", "1"});
  REQUIRE_MESSAGE(grid.status == 0, grid.err);
  CHECK(json_of(w.out("grid") + "/results.json").at("runs").size() == 4);
  CHECK(contains(grid.out, "seed-2,method-cam"));
  const Output recipe =
      run({"sweep", "--data", w.data, "--out", w.out("of-recipe"), "--recipe", w.recipe, "--epochs", "1"});
  REQUIRE_MESSAGE(recipe.status == 0, recipe.err);
  CHECK(contains(recipe.out, "erase-threshold-0.8"));
}

TEST_CASE("what sweep refuses, in one line") {
  const World& w = world();
  const Words base{"sweep", "--data", w.data, "--out", w.out("refused-sweep")};
  check_error(base, 2, "nothing to vary");
  check_error(joined(base, {"--vary", "colour=1,2"}), 2, "--colour");
  check_error(joined(base, {"--vary", "lr"}), 2, "FLAG=VALUE");
  check_error(joined(base, {"--vary", "lr=0.1,,0.2"}), 2, "empty");
  check_error(joined(base, {"--vary", "lr=0.1,0.1"}), 2, "twice");
  check_error(joined(base, {"--vary", "lr=fast"}), 2, "lr");
  check_error(joined(base, {"--vary", "erase-threshold=1.5"}), 2, "erase-threshold");
  check_error(joined(base, {"--vary", "lr=0.1", "--vary", "lr=0.2"}), 2, "twice");
  check_error(joined(base, {"--vary", "lr=0.1,0.2", "--lr", "0.1"}), 2, "both given and varied");
  check_error(joined(base, {"--vary", "preset=paper,scratch"}), 2, "preset");
  check_error(joined(base, {"--vary", "lr=0.1", "--box-rule", "biggest"}), 2, "--box-rule");
  check_error(joined(base, {"--recipe", "cub-acol-official"}), 2, "vgg16-397923af.pth");
}
