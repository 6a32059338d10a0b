// The program as a user meets it: the whole way at a tiny size, every subcommand's output and files.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <regex>

#include "acol/report/npy.h"
#include "acol/train/model.h"
#include "trained_world.h"

using namespace acol;

TEST_CASE("--help and --version") {
  for (const std::string name : {"synth", "train", "eval", "localize", "prove-cam", "probe", "demo", "info"}) {
    CAPTURE(name);
    const Output help = run({name, "--help"});
    CHECK(help.status == 0);
    CHECK(help.err == "");
    CHECK(contains(help.out, "Usage: acol " + name));
  }
  const Output all = run({"--help"});
  CHECK(all.status == 0);
  CHECK(contains(all.out, "prove-cam"));
  CHECK(run({"--version", "--help"}).status == 0);

  // Every setting is a flag, and both presets are shown in full.
  const std::string help = run({"train", "--help"}).out;
  for (const char* flag :
       {"--data",          "--out",          "--method",     "--arch",           "--width",           "--map-stride",
        "--cam-form",      "--dropout",      "--resize",     "--crop",           "--resize-mode",     "--no-flip",
        "--epochs",        "--batch-size",   "--lr",         "--bias-lr-factor", "--head-lr-factor",  "--momentum",
        "--no-nesterov",   "--weight-decay", "--schedule",   "--decay-epochs",   "--decay-factor",    "--poly-power",
        "--warmup-epochs", "--clip-norm",    "--init",       "--preset",         "--erase-threshold", "--erase-after",
        "--erase-label",   "--weights",      "--resume",     "--seed",           "--threads",         "--workers",
        "--cache-mb",      "--log-every",    "--save-every", "--limit-steps",    "--dataset"})
    CHECK_MESSAGE(contains(help, flag), flag);
  // Lines of the table: flag, paper's value, scratch's.
  for (const char* line :
       {"--preset +paper +scratch", "--init +xavier +he", "--lr +0.0001 +0.0", "--head-lr-factor +10 +1",
        "--weight-decay +0.0005 +0.0005", "--erase-threshold +0.6 +0.6", "--schedule +constant +cosine"})
    CHECK_MESSAGE(std::regex_search(help, std::regex(line)), line);
}

TEST_CASE("info") {
  const Output output = run({"info"});
  CHECK(output.status == 0);
  for (const char* part : {"version", "build", "scalar", "CUDA", "no: ", "CPU", "level in use", "threads"})
    CHECK_MESSAGE(contains(output.out, part), part);
  CHECK(contains(run_program({"info"}, {"ACOL_SIMD=scalar"}).out, "scalar (this CPU runs"));
  const Output unknown = run_program({"info"}, {"ACOL_SIMD=sse9"});
  CHECK(unknown.status == 2);
  CHECK(unknown.err.starts_with("acol: unknown SIMD level 'sse9'"));
  CHECK(unknown.out == "");
  const std::string text = run({"info", world().model}).out;
  for (const char* part : {"acol", "vgg11_bn", "0.03125", "bullseye", "resize 36", "crop 32", "parameters", "4x4",
                           "multiply-adds", "preset scratch", "2 epochs"})
    CHECK_MESSAGE(contains(text, part), text);
  Model model = load_model(world().model);
  model.config.erase_after = std::numeric_limits<int>::max();
  const std::string changed = world().folder / "erase-after.safetensors";
  write_safetensors(changed, model_file(model));
  CHECK(contains(run({"info", changed}).out, "B from epoch 2147483648 on"));
}

TEST_CASE("restarted with short waits, the process still has its name") {
  const TemporaryFolder folder;
  // The program waits for the pipe to be written to; until then its name can be read.
  write(folder / "script", "cd '" + folder.path().string() +
                               "' && mkdir data && mkfifo data/wnids.txt || exit 1\n"
                               "env -u GOMP_SPINCOUNT -u OMP_WAIT_POLICY '" ACOL_PROGRAM
                               "' train --data data --out run 2>error &\n"
                               "exec 3>data/wnids.txt\ncat /proc/$!/comm >name\nexec 3>&-\nwait $!\n");
  std::system(("timeout 60 sh '" + folder / "script" + "'").c_str());
  CHECK(text_of_file(folder / "name") == "acol\n");
  CHECK(contains(text_of_file(folder / "error"), "names no class"));
}

TEST_CASE("train leaves a run folder") {
  const World& w = world();
  const Json config = json_of(w.run_folder + "/config.json");
  CHECK(config.at("arch") == "vgg11_bn");
  CHECK(config.at("preset") == "scratch");
  CHECK(config.at("classes") == 3);
  CHECK(contains(w.train.out, w.model));
  std::ifstream log(w.run_folder + "/log.jsonl");
  int steps = 0, epochs = 0;
  for (std::string line; std::getline(log, line);) {
    const Json json = Json::parse(line);
    CHECK(json.at("loss_a").is_number());
    CHECK(json.at("loss_b").is_number());
    (json.at("type") == "step" ? steps : epochs) += 1;
  }
  CHECK(steps == 6);
  CHECK(epochs == 2);
  const Model model = load_model(w.model);
  CHECK(model.class_names == std::vector<std::string>{"bullseye", "checker", "cross"});
}

TEST_CASE("eval prints a table and writes JSON and maps") {
  const World& w = world();
  const std::string json_path = w.folder / "deep/report.json", maps = w.folder / "maps";
  const Output output =
      run({"eval", "--model", w.model, "--data", w.data, "--out", json_path, "--maps", maps, "--map-side", "32"});
  REQUIRE_MESSAGE(output.status == 0, output.err);
  CHECK(contains(output.out, "GT-known"));
  CHECK(contains(output.out, "centre box"));
  const Json json = json_of(json_path);
  CHECK(json.at("n") == 9);
  for (const char* key : {"top1_cls_err", "top5_cls_err", "top1_loc_err", "top5_loc_err", "gt_known_loc", "max_box_acc",
                          "max_box_acc_v2"}) {
    CAPTURE(key);
    REQUIRE(json.at(key).is_number());
    CHECK(json.at(key).get<double>() >= 0);
    CHECK(json.at(key).get<double>() <= 100);
  }
  CHECK(json.at("centre_box").at("max_box_acc").is_number());
  int count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(maps)) {
    if (!entry.is_regular_file()) continue;
    ++count;
    CHECK(entry.path().extension() == ".npy");
    const ScoreMap map = read_npy(entry.path());
    CHECK(map.width == 32);
    CHECK(map.height == 32);
    CHECK(std::all_of(map.values.begin(), map.values.end(), [](double v) { return v >= 0 && v <= 1; }));
  }
  CHECK(count == 9);
  CHECK(fs::exists(maps + "/val/bullseye/00001.npy"));
}

TEST_CASE("localize, probe, prove-cam") {
  const World& w = world();
  const std::string out = w.folder / "overlays";
  const Output found = run({"localize", "--model", w.model, w.image, "--top-k", "2", "--out", out});
  REQUIRE_MESSAGE(found.status == 0, found.err);
  const Json line = Json::parse(found.out);
  CHECK(line.at("image") == w.image);
  CHECK(line.at("width") == 40);
  CHECK(line.at("height") == 40);
  REQUIRE(line.at("predictions").size() == 2);
  double total = 0;
  for (const Json& one : line.at("predictions")) {
    CHECK(one.at("label").is_number_integer());
    CHECK(one.at("class").is_string());
    total += one.at("score").get<double>();
    const auto box = one.at("box").get<std::vector<int>>();
    REQUIRE(box.size() == 4);
    CHECK((0 <= box[0] && box[0] <= box[2] && box[2] < 40 && 0 <= box[1] && box[1] <= box[3] && box[3] < 40));
  }
  CHECK(total <= 1.0001);
  CHECK(line["predictions"][0]["score"] >= line["predictions"][1]["score"]);
  for (const char* which : {"_a.png", "_b.png", "_fused.png"}) {
    const Image picture = read_image(out + "/00001" + which);
    CHECK(picture.width == 40);
    CHECK(picture.height == 40);
  }
  const Json named = Json::parse(run({"localize", "--model", w.model, w.image, "--label", "cross"}).out);
  CHECK(named["predictions"][0]["class"] == "cross");
  CHECK(named["predictions"][0]["label"] == 2);

  const std::string probe_path = w.folder / "probe.json";
  const Output probe = run({"probe", "--model", w.model, "--data", w.data, "--out", probe_path});
  REQUIRE_MESSAGE(probe.status == 0, probe.err);
  for (const char* key : {"a_acc", "b_acc_truth", "b_acc_predicted", "b_acc_wrong", "b_follows_wrong"}) {
    CHECK(contains(probe.out, key));
    CHECK(json_of(probe_path).at(key).is_number());
  }

  const Output proof = run({"prove-cam", "--model", w.model, w.image});
  CHECK_MESSAGE(proof.status == 0, proof.err);
  CHECK(contains(proof.out, "float64"));
  CHECK(contains(proof.out, "the same up to rounding"));
}

TEST_CASE("cam: two overlays, no probe") {
  const World& w = world();
  const std::string run_folder = w.folder / "cam", model = run_folder + "/best.safetensors",
                    out = w.folder / "cam-overlays";
  const Output train =
      run(joined({"train", "--data", w.data, "--out", run_folder, "--method", "cam", "--cam-form", "fc"}, w.recipe));
  REQUIRE_MESSAGE(train.status == 0, train.err);
  check_error({"probe", "--model", model, "--data", w.data}, 1, "branch B");
  CHECK(run({"localize", "--model", model, w.image, "--out", out}).status == 0);
  CHECK(fs::exists(out + "/00001_a.png"));
  CHECK_FALSE(fs::exists(out + "/00001_b.png"));
  CHECK(fs::exists(out + "/00001_fused.png"));
  CHECK(run({"prove-cam", "--model", model, w.image}).status == 0);
}

TEST_CASE("demo --quick: the whole way, and quick when run again") {
  const World& w = world();
  const std::string out = w.folder / "demo";
  const Output first = run({"demo", "--quick", "--out", out});
  REQUIRE_MESSAGE(first.status == 0, first.err);
  for (const char* part : {"CAM", "ACoL", "centre box", "maps.png", "results.md"}) CHECK(contains(first.out, part));
  const Json json = json_of(out + "/results.json");
  CHECK(json.at("seeds").size() == 1);
  CHECK(json["seeds"][0]["cam"]["gt_known_loc"].is_number());
  CHECK(json["seeds"][0]["probe"]["b_follows_wrong"].is_number());
  CHECK(read_image(out + "/maps.png").width > 5 * 150);
  const std::string results = text_of_file(out + "/results.json");

  const Output second = run({"demo", "--quick", "--out", out});
  CHECK(second.status == 0);
  CHECK(contains(second.err, "finished before"));
  CHECK(contains(first.out, second.out.substr(0, second.out.find("Look at"))));
  // Measured again from the same trained models: the same figures.
  fs::remove(out + "/results.md");
  const Output third = run({"demo", "--quick", "--out", out});
  CHECK(third.status == 0);
  CHECK(contains(third.err, "CAM: already trained"));
  CHECK(text_of_file(out + "/results.json") == results);
  // Results of another version are not reported as this one's.
  std::string older = results;
  const std::string version = run({"--version"}).out;  // "acol 0.1.0"
  const std::size_t at = older.find(version.substr(0, version.size() - 1));
  REQUIRE(at != std::string::npos);
  older[at + 5] = '9';
  write(out + "/results.json", older);
  const Output fourth = run({"demo", "--quick", "--out", out});
  CHECK(fourth.status == 0);
  CHECK_FALSE(contains(fourth.err, "finished before"));
  CHECK(text_of_file(out + "/results.json") == results);
  check_error({"demo", "--out", out}, 1, "data");  // other settings in the same folder
}
