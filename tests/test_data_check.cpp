// What is wrong with a data set: every kind of problem is found and called by its name; the program `acol data`.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "acol/data/image.h"
#include "acol/data/inspect.h"
#include "tests/tree.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;
using Json = nlohmann::json;

namespace {

std::string picture(int width, int height, int seed = 0) {
  Image image{width, height, {}};
  for (int i = 0; i < width * height * 3; ++i) image.rgb.push_back(static_cast<std::uint8_t>(i * 7 + seed));
  return encode_png(image);
}

// Four good pictures of 10x8 in two classes.
struct World {
  TemporaryFolder folder;
  Dataset data;
  World() {
    data.layout = "folder";
    data.root = folder.path();
    data.split = "train";
    data.class_ids = data.class_names = {"a", "b"};
    int seed = 0;
    for (const char* id : {"a/1.png", "a/2.png", "b/3.png", "b/4.png"}) {
      put(data.root / id, picture(10, 8, ++seed));
      data.samples.push_back({.id = id, .label = id[0] == 'b', .boxes = {{1, 2, 9, 7}}});
    }
  }
};

// "FATAL what: case | case" or "note ..".
Strings texts(const Inspection& inspection) {
  Strings all;
  for (const Finding& finding : inspection.findings) {
    std::string text = (finding.fatal ? "FATAL " : "note ") + finding.what + ":";
    for (const std::string& one : finding.cases) text += " " + one + " |";
    all.push_back(text);
  }
  return all;
}

// The one finding of a set with one thing wrong; "" if there is none, all of them if there are more.
std::string finding_of(const Dataset& data, InspectOptions options = {}) {
  std::string text;
  for (const std::string& one : texts(inspect(data, options))) text += one;
  return text;
}

}  // namespace

TEST_CASE("a good set: counts, and nothing found") {
  World world;
  for (const InspectDepth depth : {InspectDepth::lists, InspectDepth::headers, InspectDepth::decode}) {
    const Inspection found = inspect(world.data, {.depth = depth, .same_content = depth != InspectDepth::lists});
    CHECK(texts(found) == Strings{});
    CHECK(found.a_class == std::vector<std::size_t>{2, 2});
    CHECK(found.boxes == 4);
    CHECK(found.with_box == 4);
    CHECK(found.read == (depth == InspectDepth::lists ? 0u : 4u));
    if (depth == InspectDepth::lists) continue;
    CHECK(found.formats == std::map<std::string, std::size_t>{{"PNG", 4}});
    CHECK((found.min_width == 10 && found.max_width == 10 && found.min_height == 8 && found.max_height == 8));
  }
}

TEST_CASE("each fatal problem") {
  World world;
  const Dataset good = world.data;
  const auto with = [&](const auto& change) {
    world.data = good;
    change(world.data);
    return finding_of(world.data);
  };
  Dataset data = good;
  CHECK(with([](Dataset& d) {
          d.samples[1].boxes = {{5, 2, 4, 7}};
        }) == "FATAL boxes with x1 < x0 or y1 < y0: a/2.png [5 2 4 7] |");
  CHECK(with([](Dataset& d) {
          d.samples[1].boxes = {{5, 7, 6, 2}};
        }) == "FATAL boxes with x1 < x0 or y1 < y0: a/2.png [5 7 6 2] |");
  CHECK(with([](Dataset& d) {
          d.samples[1].boxes = {{10, 2, 12, 7}};
        }) == "FATAL boxes wholly outside their picture: a/2.png [10 2 12 7] of 10x8 |");
  CHECK(with([](Dataset& d) {
          d.samples[1].boxes = {{-4, -4, 3, -1}};
        }) == "FATAL boxes wholly outside their picture: a/2.png [-4 -4 3 -1] of 10x8 |");
  CHECK(with([](Dataset& d) { d.samples[3] = d.samples[2]; }) ==
        "FATAL pictures listed twice under the same label: b/3.png |");
  CHECK(with([](Dataset& d) {
          d.samples[2].width = 8;
          d.samples[2].height = 10;
        }) == "FATAL pictures of another size than the lists say: b/3.png: 10x8, in the list 8x10 |");
  CHECK(with([](Dataset& d) { d.samples[0].id = "a/9.png"; }) == "FATAL pictures that are not there: a/9.png |");
  CHECK(contains(with([](Dataset& d) { d.root /= "nowhere"; }), "FATAL none of the 4 pictures is there"));
  CHECK(with([](Dataset& d) {
          for (Sample& sample : d.samples) sample.masks = {"m.png"};
        }) == "FATAL masks that are not there: m.png |");

  write(world.folder / "a/2.png", "no picture");
  CHECK(contains(finding_of(good), "FATAL pictures that cannot be read: a/2.png: not a JPEG"));
  write(world.folder / "a/2.png", picture(10, 8).substr(0, 60));  // a header, and little more
  CHECK(finding_of(good) == "");
  CHECK(contains(finding_of(good, {.depth = InspectDepth::decode}), "FATAL pictures that cannot be read: a/2.png: "));
  CHECK(finding_of(good, {.depth = InspectDepth::lists}) == "");
}

TEST_CASE("each note") {
  World world;
  const Dataset good = world.data;
  const auto with = [&](const auto& change, InspectOptions options = {}) {
    world.data = good;
    change(world.data);
    return finding_of(world.data, options);
  };
  CHECK(with([](Dataset& d) { d.notes = {"what the reader saw"}; }) == "note what the reader saw:  |");
  CHECK(with([](Dataset& d) {
          d.samples[1].boxes = {{5, 2, 10, 7}};
        }) == "note boxes partly outside their picture: a/2.png [5 2 10 7] of 10x8 |");
  CHECK(with([](Dataset& d) {
          d.samples[1].boxes = {{-1, 2, 9, 7}};
        }) == "note boxes partly outside their picture: a/2.png [-1 2 9 7] of 10x8 |");
  // Without the pictures, by the sizes of the lists.
  CHECK(with(
            [](Dataset& d) {
              d.samples[1].width = 5;
              d.samples[1].height = 8;
            },
            {.depth = InspectDepth::lists}) == "note boxes partly outside their picture: a/2.png [1 2 9 7] of 5x8 |");
  CHECK(with([](Dataset& d) { d.samples[1].boxes.push_back(d.samples[1].boxes[0]); }) ==
        "note boxes given twice for a picture: a/2.png [1 2 9 7] |");
  CHECK(with([](Dataset& d) { d.samples[1].boxes.clear(); }) ==
        "note pictures without a box, where others have one: a/2.png |");
  CHECK(with([](Dataset& d) {
          d.class_ids = d.class_names = {"a", "b", "c"};
        }) == "note classes without a picture in this split: c |");
  const auto other_label = [](Dataset& d) {
    d.samples[3] = d.samples[2];
    d.samples[3].label = 0;
  };
  CHECK(with(other_label) == "note pictures listed under several labels: b/3.png |");
  CHECK(with([&](Dataset& d) {
          other_label(d);
          d.layout = "voc";  // one sample a class in the picture: its way
        }) == "");
  fs::rename(world.folder / "a/2.png", world.folder / "a/2.JPEG");
  CHECK(with([](Dataset& d) { d.samples[1].id = "a/2.JPEG"; }) ==
        "note pictures of another format than their name says; the content counts: a/2.JPEG is a PNG |");
  fs::rename(world.folder / "a/2.JPEG", world.folder / "a/2.png");

  put(world.folder / "b/more/6.png", picture(10, 8));
  put(world.folder / "b/7.webp", "");
  put(world.folder / "b/.hidden", "");
  CHECK(finding_of(good) ==
        "note things beside the pictures that are not called like one; passed over: b/7.webp | b/more |");
  CHECK(with([](Dataset& d) { d.layout = "list"; }) == "");
  fs::remove_all(world.folder / "b/more");
  fs::remove(world.folder / "b/7.webp");

  fs::copy(world.folder / "a/1.png", world.folder / "b/5.png");
  const auto a_copy = [](Dataset& d) { d.samples.push_back({.id = "b/5.png", .label = 1, .boxes = {{0, 0, 1, 1}}}); };
  CHECK(with(a_copy) == "");
  CHECK(with(a_copy, {.same_content = true}) ==
        "note pictures with the same content, but another label: b/5.png = a/1.png |");
}

// A picture of 40x20 is 20x40 once it is turned.
TEST_CASE("EXIF: boxes and sizes are for the picture as it is seen") {
  const TemporaryFolder folder;
  const auto png_with = [](int orientation) {
    std::string exif = std::string("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19) +
                       static_cast<char>(orientation) + std::string(6, '\0');
    // Nobody looks at the checksum of a chunk that is not needed.
    const std::string chunk = std::string("\0\0\0", 3) + static_cast<char>(exif.size()) + "eXIf" + exif + "sum!";
    return picture(40, 20).insert(33, chunk);  // after IHDR
  };
  put(folder / "a.png", png_with(6));
  Dataset data;
  data.layout = "voc";
  data.root = folder.path();
  data.class_ids = data.class_names = {"a"};
  data.samples.push_back({.id = "a.png", .label = 0, .boxes = {{0, 25, 19, 39}}, .width = 20, .height = 40});
  CHECK(texts(inspect(data)) ==
        Strings{"FATAL pictures of another size than the lists say: a.png: 40x20, in the list 20x40 (the EXIF "
                "orientation explains it: --exif) |",
                "FATAL boxes wholly outside their picture: a.png [0 25 19 39] of 40x20 |",
                "note pictures with an EXIF orientation, which is ignored unless --exif is given: a.png: 6 |"});
  data.apply_exif = true;
  CHECK(finding_of(data) == "note pictures turned as their EXIF orientation says: a.png: 6 |");
  data.samples[0].width = 40;
  data.samples[0].height = 20;
  CHECK(contains(finding_of(data),
                 "FATAL pictures of another size than the lists say: a.png: 20x40, in the list 40x20 "
                 "(before it was turned: --exif is not for this list)"));
  data.samples[0].width = data.samples[0].height = 0;
  data.samples[0].boxes = {{25, 0, 39, 19}};  // for the picture as stored
  CHECK(contains(finding_of(data), "FATAL boxes wholly outside their picture: a.png [25 0 39 19] of 20x40"));
  // Half a turn keeps the size.
  put(folder / "a.png", png_with(3));
  CHECK(finding_of(data) == "note pictures turned as their EXIF orientation says: a.png: 3 |");
}

TEST_CASE("pictures that two splits share") {
  World world;
  Dataset other = world.data;
  other.split = "val";
  other.samples.resize(2);
  const Finding shared = shared_pictures(world.data, other);
  CHECK(shared.fatal);
  CHECK(shared.cases == Strings{"a/1.png", "a/2.png"});
  other.samples[0].id = other.samples[1].id = "a/7.png";
  CHECK(shared_pictures(world.data, other).cases.empty());
}

TEST_CASE("progress, and stopping") {
  World world;
  std::int64_t last = 0;
  InspectOptions options;
  options.progress = [&](std::int64_t done, std::int64_t total) {
    CHECK(total == 4);
    last = done;
  };
  inspect(world.data, options);
  CHECK(last == 4);
  options.stop_requested = [] { return true; };
  CHECK_THROWS_AS(inspect(world.data, options), Error);
}

TEST_CASE("acol data: a good folder, a damaged one, JSON") {
  const TemporaryFolder folder;
  const std::string data = folder / "data";
  for (const char* id : {"train/cat/1", "train/cat/2", "train/dog/1", "val/cat/3", "val/dog/3"})
    put(data + "/" + id + ".png", picture(10, 8, static_cast<int>(std::string(id).size()) + id[6]));
  put(data + "/val/boxes.csv", "cat/3.png,0,0,9,7\ndog/3.png,1,1,12,7\n");
  const Output good = run_program({"data", data});
  CHECK(good.status == 0);
  for (const char* part :
       {"layout     folder: folders by class", "classes    2, cat to dog", "\ntrain ", "\nval ",
        "note   val: boxes partly outside their picture: 1", "dog/3.png [1 1 12 7] of 10x8", "nothing fatal, 1 note"})
    CHECK_MESSAGE(contains(good.out, part), good.out);

  fs::remove(data + "/train/cat/2.png");
  write(data + "/train/cat/1.png", "no picture");
  for (int i = 0; i < 7; ++i) put(data + "/train/dog/bad" + std::to_string(i) + ".jpg", "text");
  const Output bad = run_program({"data", data, "--json", folder / "report.json", "--classes", "--threads", "1"});
  CHECK(bad.status == 1);
  for (const char* part : {"FATAL  train: pictures that cannot be read: 8", "train/cat/1.png: not a JPEG",
                           "and 3 more (--all, or --json FILE)", "1 fatal problem, 1 note"})
    CHECK_MESSAGE(contains(bad.out, part), bad.out);
  const Json json = Json::parse(text_of_file(folder / "report.json"));
  CHECK(json["layout"] == "folder");
  CHECK(json["fatal"] == 1);
  CHECK(json["splits"][0]["classes"][1]["pictures"] == 8);
  CHECK(json["findings"][0]["cases"].size() == 8);
  CHECK(contains(run_program({"data", data, "--all"}).out, "bad6.jpg"));
  const Output quick = run_program({"data", "--data", data, "--quick"});
  CHECK(quick.status == 0);
  CHECK(contains(quick.out, "no picture was looked for"));
  const Output one = run_program({"data", data, "--split", "val"});
  CHECK(one.status == 0);
  CHECK_FALSE(contains(one.out, "\ntrain "));
}

TEST_CASE("acol data: lists of wsolevaluation with all their faults at once") {
  const TemporaryFolder folder;
  put(folder / "m/test/image_ids.txt", "a/1.png\nb/2.png\na/1.png\n");
  put(folder / "m/test/class_labels.txt", "a/1.png,0\nb/2.png,1\n");
  put(folder / "m/test/image_sizes.txt", "a/1.png,10,8\nb/2.png,20,8\n");
  put(folder / "m/test/localization.txt", "a/1.png,3,0,2,5\nb/2.png,0,0,9\n");
  put(folder / "pictures/a/1.png", picture(10, 8));
  put(folder / "pictures/b/2.png", picture(10, 8));
  const Output output = run_program({"data", "--metadata", folder / "m", "--image-root", folder / "pictures"});
  CHECK(output.status == 1);
  for (const char* part : {"layout     wsol", "FATAL  test: damaged lines in the lists: 3", "image_ids.txt line 3",
                           "localization.txt line 1", "localization.txt line 2", "in the list 20x8"})
    CHECK_MESSAGE(contains(output.out, part), output.out);
}

TEST_CASE("acol data: bad use, and a split that cannot be read is a finding") {
  const TemporaryFolder folder;
  fs::create_directories(folder / "empty");
  check_one_line_error({"data"}, run_program({"data"}), 2);
  check_one_line_error({"data"}, run_program({"data", folder / "nowhere"}), 1);
  check_one_line_error({"data"}, run_program({"data", folder / "empty"}), 1);
  check_one_line_error({"data"}, run_program({"data", folder / "empty", "--metadata", folder / "empty"}), 2);
  put(folder / "text/readme.txt", "x");
  const Output unknown = run_program({"data", folder / "text"});
  check_one_line_error({"data"}, unknown, 1);
  for (const char* layout : {"tiny-imagenet", "cub", "wsol", "voc", "caltech256", "ilsvrc", "list", "folder"})
    CHECK_MESSAGE(contains(unknown.err, layout), unknown.err);
  put(folder / "d/wnids.txt", "n1\n");
  put(folder / "d/train/n1/images/a.JPEG", "");
  put(folder / "d/train/n1/n1_boxes.txt", "a.JPEG\t1\tx\n");
  const Output damaged = run_program({"data", folder / "d"});
  CHECK(damaged.status == 1);
  CHECK(contains(damaged.out, "FATAL  train: "));
  CHECK(contains(damaged.out, "n1_boxes.txt line 1"));
  check_one_line_error({"data"}, run_program({"data", folder / "d", "--write-split", folder / "s.txt"}), 2);
}

TEST_CASE("train and eval take lists in the place of a folder") {
  const TemporaryFolder folder;
  const std::string data = folder / "data", run = folder / "run";
  const Strings one_thread{"--threads", "1"};
  const Output synth = run_program(
      {"synth", "--out", data, "--classes", "2", "--train", "4", "--val", "2", "--size", "40", "--seed", "3"});
  REQUIRE_MESSAGE(synth.status == 0, synth.err);
  for (const char* split : {"train", "val"}) {
    std::string ids, labels;
    int label = 0;
    std::vector<fs::path> classes;
    for (const auto& entry : fs::directory_iterator(data + "/" + split))
      if (entry.is_directory()) classes.push_back(entry.path());
    std::sort(classes.begin(), classes.end());
    for (const fs::path& one : classes) {
      for (const auto& entry : fs::directory_iterator(one)) {
        const std::string id =
            std::string(split) + "/" + one.filename().string() + "/" + entry.path().filename().string();
        ids += id + "\n";
        labels += id + "," + std::to_string(label) + "\n";
      }
      ++label;
    }
    put(folder / ("m/" + std::string(split) + "/image_ids.txt"), ids);
    put(folder / ("m/" + std::string(split) + "/class_labels.txt"), labels);
  }
  const Strings lists{"--metadata", folder / "m", "--image-root", data};
  const Output train =
      run_program(joined(joined({"train", "--out", run, "--arch", "vgg11_bn", "--width", "0.03125", "--resize", "36",
                                 "--crop", "32", "--epochs", "1", "--batch-size", "4"},
                                lists),
                         one_thread));
  REQUIRE_MESSAGE(train.status == 0, train.err);
  CHECK_FALSE(contains(train.err, "no val split"));
  const Strings eval{"eval", "--model", run + "/best.safetensors"};
  const Output by_lists = run_program(joined(joined(eval, lists), one_thread));
  CHECK_MESSAGE(by_lists.status == 0, by_lists.err);
  CHECK(contains(by_lists.out, "on 4 pictures of"));
  // The model knows the classes by the names of the folders, so the folder itself fits as well.
  CHECK(run_program(joined(joined(eval, {"--data", data}), one_thread)).status == 0);
  check_one_line_error(eval, run_program(eval), 2);
  check_one_line_error(eval, run_program(joined(eval, joined(lists, {"--data", data}))), 2);
}
