// The program as a user meets it: the whole way at a tiny size, every kind of bad input, exit statuses, one line an
// error.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <regex>

#include "acol/report/npy.h"
#include "acol/train/model.h"
#include "program.h"

using namespace acol;
namespace fs = std::filesystem;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

namespace {

Json json_of(const std::string& path) { return Json::parse(text_of_file(path)); }

// One thread each: other tests run at the same time.
Output run(const Words& words) {
  const bool threads = words[0] != "synth" && words.back() != "--help" && words[0] != "info";
  return run_program(threads ? joined(words, {"--threads", "1"}) : words, {"OMP_WAIT_POLICY=passive"});
}

// The one line says `part`.
void check_error(const Words& words, int status, const std::string& part) {
  const Output output = run(words);
  check_one_line_error(words, output, status);
  CHECK_MESSAGE(contains(output.err, part), output.err);
}

// A trained model with its data, made once for all cases.
struct World {
  TemporaryFolder folder;
  std::string data = folder / "data", run_folder = folder / "run", model = run_folder + "/best.safetensors";
  std::string image = data + "/val/bullseye/00001.png";
  Words recipe{"--arch", "vgg11_bn", "--width",  "0.03125", "--resize",     "36",
               "--crop", "32",       "--epochs", "2",       "--batch-size", "8"};
  Output synth, train;

  World() {
    synth =
        run({"synth", "--out", data, "--classes", "3", "--train", "6", "--val", "3", "--size", "40", "--seed", "3"});
    train = run(joined({"train", "--data", data, "--out", run_folder, "--log-every", "1"}, recipe));
  }
  // A folder-layout data set with the same classes, which a case may damage.
  std::string copy_of_data(const std::string& name) const {
    const std::string copy = folder / name;
    fs::copy(data, copy, fs::copy_options::recursive);
    return copy;
  }
};

const World& world() {
  static const World one;
  REQUIRE_MESSAGE(one.synth.status == 0, one.synth.err);
  REQUIRE_MESSAGE(one.train.status == 0, one.train.err);
  return one;
}

// 8x8 pixels of grey, a whole baseline file.
std::string small_jpeg() {
  const std::string hex =
      "ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c1e17202e293130"
      "2e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffc0000b08000c001001011100ffc4001600010101"
      "00000000000000000000000000070305ffc4001f100001000b000000000000000000000000000102030513165254a1a3d1ffda00080101"
      "00003f008cacfbb2daa74c380d29ca066094ffd9";
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

}  // namespace

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

TEST_CASE("wrong use: exit status 2") {
  check_error({"--help-me"}, 2, "see acol --help");
  check_error({"trian"}, 2, "acol --help");
  check_error({"synth"}, 2, "--out");
  check_error({"synth", "--out", "x", "--classes", "99"}, 2, "--classes");
  check_error({"synth", "--out", "x", "--seed", "-1"}, 2, "--seed");
  const Words train{"train", "--data", "x", "--out", "y"};
  const auto wrong = [&](const std::string& flag, const std::string& value) {
    check_error(joined(train, {flag, value}), 2, flag);
  };
  for (const char* threshold : {"1.5", "-0.1", "nan", "much"}) wrong("--erase-threshold", threshold);
  wrong("--method", "gradcam");
  wrong("--arch", "resnet50");
  wrong("--width", "0");
  wrong("--map-stride", "4");
  wrong("--epochs", "0");
  wrong("--epochs", "1.5");
  wrong("--batch-size", "0");
  wrong("--lr", "-1");
  wrong("--momentum", "1");
  wrong("--preset", "mine");
  wrong("--schedule", "linear");
  wrong("--decay-epochs", "0");
  wrong("--erase-label", "wrong");
  wrong("--dataset", "coco");
  wrong("--threads", "-1");
  wrong("--no-such-flag", "1");
  check_error(joined(train, {"--resize", "100", "--crop", "200"}), 2, "crop");
  check_error(joined(train, {"--resume", "--weights", "w"}), 2, "--weights");
  for (const char* threshold : {"0", "1.01", "-1", "nan"}) {
    check_error({"eval", "--model", "m", "--data", "d", "--box-threshold", threshold}, 2, "--box-threshold");
    check_error({"localize", "--model", "m", "i", "--box-threshold", threshold}, 2, "--box-threshold");
  }
  check_error({"localize", "--model", "m"}, 2, "IMAGE");
  check_error({"localize", "--model", "m", "i", "--top-k", "0"}, 2, "--top-k");
  const World& w = world();
  check_error({"localize", "--model", w.model, "a/x.png", "b/x.jpg", "--out", w.folder / "ov"}, 2, "x");
  const std::string out = w.folder / "in-out";
  fs::create_directory(out);
  fs::copy(w.image, out + "/x.png");
  fs::copy(w.image, out + "/x_a.png");
  const std::string picture = text_of_file(out + "/x_a.png");
  check_error({"localize", "--model", w.model, out + "/x.png", out + "/../in-out/x_a.png", "--out", out}, 2, "x_a.png");
  CHECK(text_of_file(out + "/x_a.png") == picture);
}

TEST_CASE("bad input: exit status 1") {
  const World& w = world();
  const Words out{"--out", w.folder / "bad"};
  const auto train_on = [&](const std::string& data) {
    return joined(joined({"train", "--data", data}, out), w.recipe);
  };
  check_error(train_on(w.folder / "missing"), 1, "missing");
  fs::create_directory(w.folder / "empty");
  check_error(train_on(w.folder / "empty"), 1, "empty");
  check_error({"eval", "--model", w.model, "--data", w.folder / "empty"}, 1, "empty");
  check_error({"eval", "--model", w.model, "--data", w.data, "--split", "nosuch"}, 1, "nosuch");
  CHECK_FALSE(fs::exists(w.folder / "bad"));
  // Models: missing, text, cut, a header that claims more than there is, no model.
  const std::string broken = w.folder / "broken.safetensors", whole = text_of_file(w.model);
  check_error({"info", w.folder / "none.safetensors"}, 1, "none.safetensors");
  const std::vector<std::string> contents{"text",
                                          whole.substr(0, 4),
                                          whole.substr(0, 100),
                                          whole.substr(0, whole.size() - 9),
                                          std::string(8, '\xff') + whole.substr(8),
                                          std::string("\2\0\0\0\0\0\0\0{}", 10)};
  for (const std::string& content : contents) {
    write(broken, content);
    check_error({"info", broken}, 1, "broken.safetensors");
    check_error({"localize", "--model", broken, w.image}, 1, "broken.safetensors");
  }
  check_error(joined(train_on(w.data), {"--weights", broken}), 1, "broken.safetensors");

  // Another number of classes than the model's.
  const std::string two = w.copy_of_data("two");
  for (const char* split : {"train", "val"}) fs::remove_all(two + "/" + split + "/cross");
  fs::remove(two + "/val/boxes.csv");
  fs::remove(two + "/train/boxes.csv");
  check_error({"eval", "--model", w.model, "--data", two}, 1, "3 classes");
  check_error({"probe", "--model", w.model, "--data", two}, 1, "3 classes");
  check_error({"train", "--resume", "--data", two, "--out", w.run_folder}, 1, "classes");

  // Outputs below a regular file cannot be written, not even by root.
  const std::string below = w.folder / "broken.safetensors" + "/below";
  check_error({"synth", "--out", below}, 1, "below");
  check_error(joined({"train", "--data", w.data, "--out", below}, w.recipe), 1, "below");
  check_error({"eval", "--model", w.model, "--data", w.data, "--out", below}, 1, "below");
  check_error({"eval", "--model", w.model, "--data", w.data, "--maps", below}, 1, "below");
  check_error({"probe", "--model", w.model, "--data", w.data, "--out", below}, 1, "below");
  check_error({"localize", "--model", w.model, w.image, "--out", below}, 1, "below");
  check_error({"demo", "--quick", "--out", below}, 1, "below");

  // Runs: one that is there already, none to resume, a flag against the run's setting.
  check_error(joined({"train", "--data", w.data, "--out", w.run_folder}, w.recipe), 1, "--resume");
  check_error({"train", "--resume", "--data", w.data, "--out", w.folder / "norun"}, 1, "nothing to resume");
  check_error({"train", "--resume", "--data", w.data, "--out", w.run_folder, "--lr", "0.5"}, 2, "--lr");
  check_error({"train", "--resume", "--data", w.data, "--out", w.run_folder, "--no-flip"}, 2, "--flip");
  const Output same =
      run({"train", "--resume", "--data", w.data, "--out", w.run_folder, "--batch-size", "8", "--log-every", "3"});
  CHECK_MESSAGE(same.status == 0, same.err);

  // Pictures: missing, text with a picture's name; the others are still done.
  const std::string text = w.folder / "text.jpg";
  write(text, "this is no picture\n");
  const Output some = run({"localize", "--model", w.model, text, w.image, w.folder / "none.png"});
  CHECK(some.status == 1);
  CHECK(std::count(some.out.begin(), some.out.end(), '\n') == 1);
  CHECK(std::count(some.err.begin(), some.err.end(), '\n') == 2);
  CHECK(contains(some.err, "text.jpg"));
  CHECK(contains(some.err, "none.png"));
  check_error({"prove-cam", "--model", w.model, text}, 1, "text.jpg");
  check_error({"localize", "--model", w.model, w.image, "--label", "unicorn"}, 1, "unicorn");
  check_error({"localize", "--model", w.model, w.image, "--label", ""}, 1, "class");

  // A diverged model shows nothing about CAM.
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    const Model model = load_model(w.model);
    model.network->head_a().last().weight().value().set(0, static_cast<double>(bad));
    write_safetensors(broken, model_file(model));
    check_error({"prove-cam", "--model", broken, w.image}, 1, "not finite");
  }
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

TEST_CASE("training without a validation split") {
  const World& w = world();
  const auto train_on = [&](const std::string& data, const std::string& out) {
    return run(joined({"train", "--data", data, "--out", w.folder / out, "--limit-steps", "1"}, w.recipe));
  };
  const std::string empty = w.copy_of_data("empty-val"), flat = w.copy_of_data("flat") + "/train";
  fs::remove_all(empty + "/val");
  fs::create_directory(empty + "/val");
  fs::rename(flat + "/cross", flat + "/val");  // a class of that name
  fs::remove(flat + "/boxes.csv");
  for (const auto& [data, out] : {std::pair{empty, "empty-val-run"}, std::pair{flat, "flat-run"}}) {
    const Output output = train_on(data, out);
    CHECK_MESSAGE(output.status == 0, output.err);
    CHECK_MESSAGE(contains(output.err, "no val split"), output.err);
  }
}

TEST_CASE("names that are not UTF-8") {
  const World& w = world();
  const std::string data = w.copy_of_data("latin-\xe4"), json_path = w.folder / "latin.json";
  const Output eval = run({"eval", "--model", w.model, "--data", data, "--out", json_path, "--no-sweep"});
  CHECK_MESSAGE(eval.status == 0, eval.err);
  CHECK(json_of(json_path).at("data").get<std::string>().ends_with("latin-\xef\xbf\xbd"));
  fs::rename(data + "/train/cross", data + "/train/cr\xf6ss");
  const std::string out = w.folder / "latin-run";
  check_error(joined({"train", "--data", data, "--out", out}, w.recipe), 1, "cr\xf6ss");
  CHECK_FALSE(fs::exists(out));
}

TEST_CASE("broken pictures in the data are skipped, named and counted") {
  const World& w = world();
  const std::string data = w.copy_of_data("damaged"), jpeg = small_jpeg();
  write(data + "/train/cross/whole.jpg", jpeg);
  write(data + "/train/cross/cut.jpg", jpeg.substr(0, jpeg.size() - 12));
  write(data + "/train/cross/text.jpg", "this is no picture\n");
  write(data + "/val/cross/cut.jpg", jpeg.substr(0, 100));
  const std::string out = w.folder / "damaged-run";
  const Output train = run(joined({"train", "--data", data, "--out", out}, w.recipe));
  CHECK_MESSAGE(train.status == 0, train.err);
  CHECK(contains(train.err, "cut.jpg"));
  CHECK(contains(train.err, "text.jpg"));
  CHECK_FALSE(contains(train.err, "whole.jpg"));
  CHECK(contains(train.err, "2 pictures could not be read"));
  CHECK(fs::exists(out + "/best.safetensors"));

  const Output eval =
      run({"eval", "--model", out + "/best.safetensors", "--data", data, "--out", out + "/eval.json", "--no-sweep"});
  CHECK_MESSAGE(eval.status == 0, eval.err);
  CHECK(contains(eval.err, "cut.jpg"));
  CHECK(contains(eval.out, "1 unreadable"));
  CHECK(json_of(out + "/eval.json").at("n") == 9);
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
