// acol eval as a user meets it: every protocol by its flag, the files it writes, and what it refuses.
#include <nlohmann/json.hpp>

#include "acol/data/dataset.h"
#include "tests/program.h"

using namespace acol;
namespace fs = std::filesystem;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

namespace {

struct World {
  TemporaryFolder folder;
  std::string data = folder / "data", model = folder / "run/last.safetensors";
  Words eval{"eval", "--model", model, "--data", data};
  Output synth, train;

  World() {
    synth = run_program({"synth", "--out", data, "--classes", "3", "--train", "4", "--val", "4", "--size", "40"});
    train = run_program({"train", "--data", data, "--out", folder / "run", "--arch", "vgg11_bn", "--width", "0.03125",
                         "--resize", "36", "--crop", "32", "--epochs", "1", "--batch-size", "8"});
  }
};

const World& world() {
  static const World one;
  REQUIRE_MESSAGE(one.synth.status == 0, one.synth.err);
  REQUIRE_MESSAGE(one.train.status == 0, one.train.err);
  return one;
}

// The figures of `acol eval` with these flags.
struct Result {
  std::string text;
  Json json;
};
Result eval(const Words& flags) {
  const World& w = world();
  const std::string out = w.folder / "figures.json";
  fs::remove(out);
  const Output output = run_program(joined(joined(w.eval, {"--out", out}), flags));
  REQUIRE_MESSAGE(output.status == 0, output.err);
  return {output.out, Json::parse(text_of_file(out))};
}

void check_error(const Words& flags, int status, const std::string& part) {
  const Words words = joined(world().eval, flags);
  const Output output = run_program(words);
  check_one_line_error(words, output, status);
  CAPTURE(output.err);
  CHECK(contains(output.err, part));
}

}  // namespace

TEST_CASE("the table: errors by kind, intervals, both baselines") {
  const Result got = eval({"--errors", "--ci", "50", "--no-sweep"});
  for (const char* part : {"centre box", "whole picture", "  wrong class", "  elsewhere", "interval", " to ",
                           "50 bootstrap resamples", "Boxes: cam-paper:0.2", "branch A"}) {
    CAPTURE(part);
    CHECK(contains(got.text, part));
  }
  const Json& json = got.json;
  double sum = 0;
  for (const auto& [kind, share] : json.at("errors").items()) sum += share.get<double>();
  CHECK(std::abs(sum - json.at("top1_loc_err").get<double>()) <= 1e-9);
  CHECK(json.at("intervals").at("gt_known_loc").size() == 2);
  CHECK(json.at("protocol").at("bootstrap").at("resamples") == 50);
  CHECK(json.at("centre_box").at("gt_known_loc_whole_picture").is_number());
  // Drawn again from the same seed, they are the same.
  CHECK(eval({"--ci", "50", "--no-sweep"}).json.at("intervals") == json.at("intervals"));
  const Result plain = eval({"--no-sweep"});
  CHECK_FALSE(contains(plain.text, "wrong class"));
  CHECK_FALSE(contains(plain.text, "interval"));
  CHECK_FALSE(plain.json.contains("intervals"));
  CHECK_FALSE(contains(plain.text, "MaxBoxAcc"));  // no baseline beside a figure that is not there
  CHECK(plain.json.at("protocol").at("normalise").is_null());
}

TEST_CASE("every input, box rule and normalisation by name") {
  for (const char* input : {"centre", "centre-warp", "ten-crop", "ten-crop-cam"}) {
    CAPTURE(input);
    const Result got = eval({"--input", input, "--no-sweep"});
    CHECK(got.json.at("protocol").at("input") == input);
    CHECK(contains(got.text, std::string(input).starts_with("ten") ? "ten crops" : std::string(input) + " crops"));
  }
  for (const char* rule : {"dt-box:30/90/150", "largest-contour:0.15", "wsol", "pas"}) {
    CAPTURE(rule);
    const Result got = eval({"--box-rule", rule, "--no-sweep"});
    CHECK(got.json.at("protocol").at("box_rule").get<std::string>().starts_with(rule));
    CHECK(got.json.at("star_loc_err").is_number() == (rule[0] == 'd' || rule[0] == 'w'));
  }
  CHECK(eval({"--box-rule", "gradcam", "--box-threshold", "0.3", "--no-sweep"}).json.at("protocol").at("box_rule") ==
        "gradcam:0.3");
  const Result other = eval({"--normalise", "ivr:30", "--erase-test-label", "predicted", "--input", "centre",
                             "--clip-truth", "--map-side", "32"});
  CHECK(other.json.at("protocol").at("normalise") == "ivr:30");
  CHECK(contains(other.text, "predicted class"));
  CHECK(contains(other.text, "true boxes cut"));
  CHECK(other.json.at("max_box_acc").is_number());
}

TEST_CASE("labels of another classifier: the true ones give the error that GT-known leaves") {
  const World& w = world();
  const Dataset data = open_dataset(w.data, "val");
  const std::string file = w.folder / "labels.csv";
  std::string lines;
  for (const Sample& sample : data.samples)
    lines += sample.id + "," + data.class_ids[static_cast<std::size_t>(sample.label)] + "\n";
  write(file, lines);
  const Result got = eval({"--labels", file, "--no-sweep"});
  CHECK(got.json.at("top1_cls_err") == 0);
  CHECK(std::abs(got.json.at("top1_loc_err").get<double>() + got.json.at("gt_known_loc").get<double>() - 100) <= 1e-9);
  CHECK(got.json.at("protocol").at("labels") == file);
  CHECK(contains(got.text, "labels.csv"));

  write(file, lines + data.samples[0].id + ",0\n");
  check_error({"--labels", file}, 1, "labels.csv:13");
  write(file, lines.substr(lines.find('\n') + 1));
  check_error({"--labels", file}, 1, data.samples[0].id);
  check_error({"--labels", w.folder / "none.csv"}, 1, "none.csv");
}

TEST_CASE("a line for each class") {
  const std::string file = world().folder / "deep/classes.csv";
  eval({"--per-class", file, "--no-sweep"});
  const std::string text = text_of_file(file);
  CHECK(std::count(text.begin(), text.end(), '\n') == 4);
  CHECK(text.starts_with("class_id,class_name,n,n_with_box,top1_cls_err"));
  CHECK(contains(text, "\nchecker,checker,4,4,"));
  const auto commas = std::count(text.begin(), text.end(), ',');
  CHECK(commas == 4 * 13);
}

TEST_CASE("a threshold is chosen on one split and reported on another") {
  const World& w = world();
  const std::string curve = w.folder / "curve.json";
  const Result chosen = eval({"--split", "train", "--curve", curve, "--curve-step", "0.1", "--no-sweep"});
  CHECK(contains(chosen.text, "Best box threshold by GT-known"));
  const Json json = Json::parse(text_of_file(curve));
  CHECK(json.at("thresholds").size() == 10);
  CHECK(json.at("top1_loc_percent").size() == 10);
  CHECK(json.at("n") == 12);
  const Result reported = eval({"--threshold-from", curve, "--no-sweep"});
  const std::string rule = reported.json.at("protocol").at("box_rule");
  CHECK(std::abs(std::stod(rule.substr(rule.find(':') + 1)) - json.at("best_threshold").get<double>()) <= 1e-12);
  CHECK(contains(reported.text, "threshold from"));
  // The same threshold typed gives the same figures.
  const Result typed = eval({"--box-rule", rule, "--no-sweep"});
  CHECK(typed.json.at("gt_known_loc") == reported.json.at("gt_known_loc"));

  check_error({"--threshold-from", curve, "--box-rule", "gradcam"}, 1, "cam-paper");
  check_error({"--threshold-from", curve, "--box-rule", "dt-box"}, 2, "dt-box");
  check_error({"--threshold-from", curve, "--box-rule", "cam-paper:0.3"}, 2, "says already what is cut");
  check_error({"--threshold-from", curve, "--box-threshold", "0.2"}, 2, "--threshold-from");
  check_error({"--curve", curve, "--box-rule", "dt-box"}, 2, "dt-box");
  write(curve, "{}");
  check_error({"--threshold-from", curve}, 1, "curve.json");
}

TEST_CASE("wrong use: one line, exit status 2") {
  const auto wrong = [](const Words& flags, const std::string& part) { check_error(flags, 2, part); };
  wrong({"--input", "crop"}, "--input");
  wrong({"--box-rule", "best"}, "--box-rule");
  wrong({"--box-rule", "cam-paper:2"}, "--box-rule");
  wrong({"--box-rule", "cam-paper:0.1", "--box-threshold", "0.2"}, "--box-threshold");
  wrong({"--box-rule", "dt-box", "--box-threshold", "0.2"}, "--box-threshold");
  wrong({"--normalise", "z-score"}, "--normalise");
  wrong({"--erase-test-label", "wrong"}, "--erase-test-label");
  wrong({"--ci", "0"}, "--ci");
  wrong({"--seed", "-1"}, "--seed");
  wrong({"--curve-step", "0"}, "--curve-step");
  const std::string below = world().model + "/below";
  check_error({"--per-class", below}, 1, "below");
  check_error({"--curve", below}, 1, "below");
}
