// The program and what it refuses: every kind of wrong use and bad input, exit statuses, one line an error; what is odd
// in the data but no error.
#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

#include "acol/train/model.h"
#include "trained_world.h"

using namespace acol;

namespace {

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
