// acol score as a user meets it: on wsolevaluation's lists, and on a folder of pictures.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "acol/evaluate/max_box_acc.h"
#include "scored_set.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

namespace {

// The lists of small_set() in wsolevaluation's form. No picture is written.
std::string write_lists(const TemporaryFolder& folder) {
  const std::string root = folder / "metadata";
  fs::create_directories(root + "/test");
  write(root + "/test/image_ids.txt", "a/1.jpg\na/2.jpg\nb/3.png");
  write(root + "/test/class_labels.txt", "a/1.jpg,0\na/2.jpg,0\nb/3.png,1\n");
  write(root + "/test/image_sizes.txt", "a/1.jpg,40,20\na/2.jpg,40,20\nb/3.png,40,20\n");
  write(root + "/test/localization.txt", "a/1.jpg,4,2,15,9\na/2.jpg,0,0,3,3\na/2.jpg,20,10,39,19\nb/3.png,10,5,29,14");
  return root;
}

Output run(const Words& words) { return run_program(joined({"score"}, words), {"OMP_WAIT_POLICY=passive"}); }

void check_error(const Words& words, int status, const std::string& part) {
  check_one_line_error(words, run(words), status, part);
}

}  // namespace

TEST_CASE("acol score on wsolevaluation's lists: no picture is needed") {
  const TemporaryFolder folder;
  const std::string lists = write_lists(folder), out = folder / "new/scores.json";
  const Output output = run({"--maps", "center", "--metadata", lists, "--image-root", "/nowhere", "--out", out});
  REQUIRE_MESSAGE(output.status == 0, output.err);
  CHECK(contains(output.out, "MaxBoxAccV2"));
  CHECK(contains(output.out, "centre box"));
  const Json json = Json::parse(text_of_file(out));
  CHECK(json.at("n") == 3);
  const MapScores want = score_maps(small_set(), options_for("center"));
  CHECK(json.at("max_box_acc").get<double>() == want.max_box_acc.value());
  CHECK(json.at("max_box_acc_v2").get<double>() == want.max_box_acc_v2.value());
  CHECK(json.at("max_box_acc_at").at("0.7").get<double>() == want.max_box_acc_at.value()[2]);
  CHECK(json.at("best_threshold").get<double>() == rounded_threshold(want.best_threshold.value()));
  CHECK(contains(text_of_file(out), " 0.287,"));
  CHECK_FALSE(contains(text_of_file(out), "0.28700000000000003"));
  CHECK(json.at("pxap").is_null());
  CHECK(json.at("curves").at("max_box_acc").size() == 1000);
  CHECK(json.at("centre_box").at("max_box_acc") == json.at("max_box_acc"));
  CHECK(run({"--maps", "whole", "--metadata", lists, "--protocol", "cam"}).status == 0);

  check_error({"--maps", "center"}, 2, "--metadata");
  check_error({"--maps", "center", "--metadata", lists, "--protocol", "voc"}, 2, "wsol, cam and ilsvrc");
  check_error({"--maps", "center", "--metadata", lists, "--box-rule", "best"}, 2, "best");
  check_error({"--maps", "center", "--metadata", lists, "--normalise", "zscore"}, 2, "zscore");
  check_error({"--maps", "center", "--data", lists, "--mask-root", lists}, 2, "belong to --metadata");
  check_error({"--maps", folder / "none", "--metadata", lists}, 1, "no such folder");
}

TEST_CASE("acol score on a folder of pictures, whose sizes it looks up") {
  const TemporaryFolder folder;
  const std::string data = folder / "data", maps = folder / "maps", out = folder / "scores.json";
  REQUIRE(
      run_program({"synth", "--out", data, "--classes", "2", "--train", "1", "--val", "2", "--size", "40"}).status ==
      0);
  const Dataset set = open_dataset(data, "val");
  for (const Sample& sample : set.samples)
    save(fs::path(maps) / (sample.id + ".npy"), block(40, 40, sample.boxes.at(0)));
  const Output output = run({"--maps", maps, "--data", data, "--ci", "20", "--box-rule", "cam-paper", "--out", out});
  REQUIRE_MESSAGE(output.status == 0, output.err);
  const Json json = Json::parse(text_of_file(out));
  CHECK(json.at("n") == 4);
  CHECK(json.at("max_box_acc") == 100);
  CHECK(json.at("gt_known_loc") == 100);
  CHECK(json.at("intervals").at("max_box_acc") == Json{100, 100});
  CHECK(contains(output.out, "resamples"));

  fs::remove(maps + "/" + set.samples[0].id + ".npy");
  check_error({"--maps", maps, "--data", data}, 1, set.samples[0].id);
  const Output fewer = run({"--maps", maps, "--data", data, "--allow-missing"});
  CHECK(fewer.status == 0);
  CHECK(contains(fewer.err, "no map for " + set.samples[0].id));
  CHECK(contains(fewer.out, "1 without a map left out"));
}
