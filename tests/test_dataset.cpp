// Reading data set layouts: small folders made here, and the real Tiny ImageNet where it is at hand.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "acol/data/dataset.h"
#include "acol/data/image.h"
#include "acol/data/layouts.h"
#include "tensor/check.h"
#include "tensor/file.h"

#ifndef ACOL_SOURCE_DIR
#define ACOL_SOURCE_DIR "."
#endif

using namespace acol;
namespace fs = std::filesystem;

namespace {

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;  // without the wait for the disk
}

struct TempFolder {
  fs::path path = fs::temp_directory_path() / ("acol_test_dataset_" + std::to_string(::getpid()));
  TempFolder() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~TempFolder() { fs::remove_all(path); }

  // Readers of lists open no picture, so any text will do.
  void file(const std::string& name, const std::string& text = "x") const {
    fs::create_directories((path / name).parent_path());
    write_text(path / name, text);
  }
};

// The message, or "" if it opens.
std::string why(const fs::path& root, const std::string& split, const std::string& layout = "auto") {
  try {
    open_dataset(root, split, layout);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

std::vector<std::string> ids(const Dataset& dataset) {
  std::vector<std::string> list;
  for (const Sample& sample : dataset.samples) list.push_back(sample.id + "=" + std::to_string(sample.label));
  return list;
}

using Strings = std::vector<std::string>;

void make_two_classes(const TempFolder& folder) {
  for (const char* name :
       {"train/dog/b.JPG", "train/dog/a.png", "train/dog/c.jpeg", "train/cat/z.Ppm", "train/cat/10.bmp",
        "train/cat/9.pgm", "train/dog/notes.txt", "train/dog/.hidden.png", "train/dog/deeper/d.png",
        "train/.cache/e.png", "val/cat/v.png", "val/dog/w.png", "train_masks/dog/b.png", "val_masks/cat/v.png"})
    folder.file(name);
}

void make_tiny(const TempFolder& folder) {
  folder.file("wnids.txt", "n03\nn01\r\n");
  folder.file("words.txt", "n01\tgold fish, Carassius auratus\nn02\tother\nn03\tbus\n");
  for (const char* name : {"train/n01/images/n01_0.JPEG", "train/n01/images/n01_1.JPEG", "train/n03/images/n03_0.JPEG",
                           "train/n03/images/n03_7.JPEG", "val/images/val_1.JPEG", "val/images/val_0.JPEG"})
    folder.file(name);
  folder.file("train/n01/n01_boxes.txt", "n01_0.JPEG\t0\t10\t63\t62\nn01_1.JPEG\t5\t6\t5\t60\n");
  folder.file("train/n03/n03_boxes.txt", "n03_0.JPEG\t1\t2\t3\t4\r\nn03_9.JPEG\t1\t2\t3\t4\n");
  folder.file("val/val_annotations.txt", "val_1.JPEG\tn01\t0\t32\t44\t62\nval_0.JPEG\tn03\t1\t9\t8\t9\n");
}

}  // namespace

TEST_CASE("folder layout: classes, order, masks") {
  const TempFolder folder;
  make_two_classes(folder);
  const Dataset train = open_dataset(folder.path, "train");
  CHECK(train.layout == "folder");
  CHECK(train.split == "train");
  CHECK(train.class_ids == Strings{"cat", "dog"});
  CHECK(train.class_names == Strings{"cat", "dog"});
  CHECK(ids(train) == Strings{"train/cat/10.bmp=0", "train/cat/9.pgm=0", "train/cat/z.Ppm=0", "train/dog/a.png=1",
                              "train/dog/b.JPG=1", "train/dog/c.jpeg=1"});
  CHECK(train.samples[4].masks == std::vector<std::string>{"train_masks/dog/b.png"});
  CHECK(train.samples[3].masks.empty());
  CHECK(fs::exists(train.path(train.samples[4])));
  CHECK(fs::exists(train.mask_path(train.samples[4].masks.at(0))));
  CHECK_FALSE(train.has_boxes());
  CHECK(train.notes.empty());

  const Dataset val = open_dataset(folder.path, "val", "folder");
  CHECK(ids(val) == Strings{"val/cat/v.png=0", "val/dog/w.png=1"});
  CHECK(val.samples[0].masks == std::vector<std::string>{"val_masks/cat/v.png"});
  CHECK(ids(open_dataset(folder.path, "all")).size() == 8);

  folder.file("extra/dog/q.png");
  const Dataset extra = open_dataset(folder.path, "extra");
  CHECK(ids(extra) == Strings{"extra/dog/q.png=1"});  // numbered as in train/
  REQUIRE(extra.notes.size() == 1);
  contains(extra.notes[0], "\"cat\" has no pictures");
}

TEST_CASE("folder layout: boxes") {
  const TempFolder folder;
  make_two_classes(folder);
  folder.file("train/dog/a,b.png");
  folder.file("train/boxes.csv",
              "# comment\ndog/b.JPG,1,2,30,40\n\ndog/b.JPG,0,0,0,0\r\ndog/a,b.png,5,6,7,8\ncat/gone.png,1,1,2,2\n");
  const Dataset train = open_dataset(folder.path, "train");
  CHECK(train.has_boxes());
  std::size_t boxes = 0;
  for (const Sample& sample : train.samples) {
    boxes += sample.boxes.size();
    if (sample.id == "train/dog/b.JPG") CHECK(sample.boxes == std::vector<Box>{{1, 2, 30, 40}, {0, 0, 0, 0}});
    if (sample.id == "train/dog/a,b.png") CHECK(sample.boxes == std::vector<Box>{{5, 6, 7, 8}});
  }
  CHECK(boxes == 3);
  REQUIRE(train.notes.size() == 1);
  contains(train.notes[0], "1 line names a picture that is not there");
  CHECK_FALSE(open_dataset(folder.path, "val").has_boxes());

  for (const char* bad :
       {"dog/b.JPG,1,2,30", "dog/b.JPG,1,2,30,x", "dog/b.JPG,1,2,30,", "dog/b.JPG,1.5,2,30,40", "dog/b.JPG,9,2,8,40",
        "dog/b.JPG,1,9,30,8", "dog/b.JPG,-1,2,30,40", "image,x0,y0,x1,y1", "1,2,3,4", "dog/b.JPG,1,2,30,99999999999"}) {
    folder.file("train/boxes.csv", std::string("# one\n") + bad + "\n");
    contains(why(folder.path, "train"), "boxes.csv line 2");
  }
}

TEST_CASE("folder layout: class folders without train/ and val/ are one split") {
  const TempFolder folder;
  for (const char* name : {"b/2.png", "b/1.pnm", "a/3.png"}) folder.file(name);
  folder.file("boxes.csv", "b/1.pnm,1,2,3,4\n");
  for (const char* split : {"all", "train"}) {
    const Dataset all = open_dataset(folder.path, split);
    CHECK(ids(all) == Strings{"a/3.png=0", "b/1.pnm=1", "b/2.png=1"});
    CHECK(all.samples[1].boxes.size() == 1);
  }
  contains(why(folder.path, "val"), "one split");
  folder.file("train/4.png");  // a class that happens to be called so
  CHECK(open_dataset(folder.path, "all").class_ids == Strings{"a", "b", "train"});
  folder.file("val/5.png");
  contains(why(folder.path, "all"), "expected class folders");
}

TEST_CASE("folder layout: what is refused") {
  const TempFolder folder;
  contains(why(folder.path / "nowhere", "train"), "no such folder");
  contains(why(folder.path, "train"), "empty");
  folder.file("readme.txt");
  contains(why(folder.path / "readme.txt", "train"), "not a folder");
  contains(why(folder.path, "train"), "looked for wnids.txt");
  make_two_classes(folder);
  contains(why(folder.path, "train", "imagenet"), "is not known");
  contains(why(folder.path, "test"), "no split \"test\"");
  for (const char* split : {"", "..", ".", "a/b", "/etc"}) contains(why(folder.path, split), "split");

  folder.file("val/bird/x.png");
  contains(why(folder.path, "val"), "\"bird\" is not among the 2 classes");
  CHECK(why(folder.path, "train").empty());
  fs::remove_all(folder.path / "val" / "bird");

  folder.file("train/\xe4pfel/x.png");  // Latin-1; a model could not store it
  contains(why(folder.path, "train"), "class folder \"\xe4pfel\" is not UTF-8");
  fs::remove_all(folder.path / "train" / "\xe4pfel");
  folder.file("train/\xc3\xa4pfel/x.png");
  CHECK(open_dataset(folder.path, "train").class_ids == Strings{"cat", "dog", "\xc3\xa4pfel"});
  fs::remove_all(folder.path / "train" / "\xc3\xa4pfel");

  fs::create_directories(folder.path / "train" / "ape");
  contains(why(folder.path, "train"), "\"ape\" has no pictures");
  const Dataset val = open_dataset(folder.path, "val");  // it has none of a class: noted
  CHECK(ids(val) == Strings{"val/cat/v.png=1", "val/dog/w.png=2"});
  REQUIRE(val.notes.size() == 1);
  contains(val.notes[0], "ape");

  fs::remove_all(folder.path / "val" / "cat");
  fs::remove_all(folder.path / "val" / "dog" / "w.png");
  contains(why(folder.path, "val"), "no pictures");
}

TEST_CASE("subset") {
  const TempFolder folder;
  make_two_classes(folder);
  const Dataset train = open_dataset(folder.path, "train");
  CHECK(ids(subset(train, 2)) ==
        Strings{"train/cat/10.bmp=0", "train/cat/9.pgm=0", "train/dog/a.png=1", "train/dog/b.JPG=1"});
  CHECK(ids(subset(train, 0)) == ids(train));
  const Dataset one = subset(train, 1, 1);
  CHECK(one.class_ids == Strings{"cat"});
  CHECK(one.class_names == Strings{"cat"});
  CHECK(ids(one) == Strings{"train/cat/10.bmp=0"});
  CHECK_THROWS_AS(subset(train, -1), Error);
  CHECK_THROWS_AS(subset(train, 1, 3), Error);
}

TEST_CASE("Tiny ImageNet: labels by line, first name, degenerate boxes dropped") {
  const TempFolder folder;
  make_tiny(folder);
  const Dataset train = open_dataset(folder.path, "train");
  CHECK(train.layout == "tiny-imagenet");
  CHECK(train.class_ids == Strings{"n03", "n01"});
  CHECK(train.class_names == Strings{"bus", "gold fish"});
  CHECK(ids(train) == Strings{"train/n03/images/n03_0.JPEG=0", "train/n03/images/n03_7.JPEG=0",
                              "train/n01/images/n01_0.JPEG=1", "train/n01/images/n01_1.JPEG=1"});
  CHECK(train.samples[0].boxes == std::vector<Box>{{1, 2, 3, 4}});
  CHECK(train.samples[1].boxes.empty());
  CHECK(train.samples[2].boxes == std::vector<Box>{{0, 10, 63, 62}});
  CHECK(train.samples[3].boxes.empty());
  REQUIRE(train.notes.size() == 3);
  contains(train.notes[0], "1 degenerate box dropped");
  contains(train.notes[1], "1 picture has no line");
  contains(train.notes[2], "1 line of the lists names a picture that is not there");

  const Dataset val = open_dataset(folder.path, "val");
  CHECK(ids(val) == Strings{"val/images/val_1.JPEG=1", "val/images/val_0.JPEG=0"});
  CHECK(val.samples[0].boxes == std::vector<Box>{{0, 32, 44, 62}});
  CHECK(val.samples[1].boxes.empty());
  CHECK(open_dataset(folder.path, "all").samples.size() == 6);
}

TEST_CASE("Tiny ImageNet: what is refused, and what is not") {
  const TempFolder folder;
  make_tiny(folder);
  contains(why(folder.path, "test"), "no labels");
  contains(why(folder.path, "other"), "not \"other\"");
  const auto with = [&](const std::string& file, const std::string& text, const std::string& split) {
    const std::string before = read_file(folder.path / file);
    folder.file(file, text);
    const std::string message = why(folder.path, split);
    folder.file(file, before);
    return message;
  };
  contains(with("val/val_annotations.txt", "val_1.JPEG\tn77\t0\t32\t44\t62\n", "val"),
           "line 1: class n77 is not in wnids.txt");
  contains(with("val/val_annotations.txt", "val_1.JPEG\n", "val"), "line 1: expected");
  contains(with("val/val_annotations.txt", "val_1.JPEG\tn01\t0\t32\t44\n", "val"), "line 1: expected");
  contains(with("val/val_annotations.txt", "val_1.JPEG\tn01\t0\t-32\t44\t62\n", "val"), "line 1: expected");
  contains(with("val/val_annotations.txt", "", "val"), "no picture");
  contains(with("train/n01/n01_boxes.txt", "n01_0.JPEG\t1\t2\tx\t4\n", "train"), "n01_boxes.txt line 1");
  for (const char* box : {"-1\t2\t3\t4", "1\t-2\t3\t4", "1\t2\t-3\t4", "1\t2\t3\t-4"})
    contains(with("train/n01/n01_boxes.txt", std::string("n01_0.JPEG\t") + box + "\n", "train"),
             "n01_boxes.txt line 1: expected");
  contains(with("words.txt", "n01\tgold fi\xdf\n", "train"), "n01 is not UTF-8");
  contains(with("wnids.txt", "n01\nn01\n", "train"), "twice");
  contains(with("wnids.txt", "\n", "train"), "names no class");
  contains(with("wnids.txt", "n01\nn05\n", "train"), "n05 of wnids.txt has no pictures");

  fs::remove(folder.path / "words.txt");
  fs::remove(folder.path / "train/n01/n01_boxes.txt");
  const Dataset train = open_dataset(folder.path, "train");
  CHECK(train.class_names == train.class_ids);
  CHECK(train.notes.size() == 3);  // words.txt, pictures without a line, a line without a picture
  fs::remove(folder.path / "val/val_annotations.txt");
  contains(why(folder.path, "val"), "val_annotations.txt");
}

TEST_CASE("each layout is known by its files, also where several could be meant") {
  const TempFolder folder;
  const fs::path root = folder.path / "d";
  const auto in = [&](const std::vector<std::pair<std::string, std::string>>& files) {
    fs::remove_all(root);
    for (const auto& [name, text] : files) folder.file("d/" + name, text);
    return std::string(layout_of(root, "auto").name);
  };
  CHECK(in({{"train/a/1.png", ""}, {"val/a/1.png", ""}}) == "folder");
  CHECK(has_validation(root));
  CHECK(in({{"train/a/1.png", ""}, {"val/1.png", ""}}) == "folder");
  CHECK_FALSE(has_validation(root));
  CHECK(in({{"a/1.png", ""}}) == "folder");
  CHECK(layout_of(root, "auto").splits(root) == Strings{"train"});
  CHECK(in({{"wnids.txt", "n1\n"}, {"train/n1/images/1.JPEG", ""}}) == "tiny-imagenet");
  CHECK_FALSE(has_validation(root));
  CHECK(
      in({{"images.txt", ""}, {"image_class_labels.txt", ""}, {"train_test_split.txt", ""}, {"images/a/1.jpg", ""}}) ==
      "cub");
  CHECK(has_validation(root));
  CHECK(in({{"test/image_ids.txt", ""}, {"test/class_labels.txt", ""}, {"test/a/1.jpg", ""}}) == "wsol");
  CHECK(layout_of(root, "auto").splits(root) == Strings{"test"});
  CHECK(layout_of(root / "test", "auto").name == std::string("wsol"));
  CHECK(layout_of(root / "test", "auto").splits(root / "test") == Strings{"test"});
  CHECK(in({{"JPEGImages/1.jpg", ""}, {"Annotations/1.xml", ""}, {"ImageSets/Main/val.txt", "1\n"}}) == "voc");
  CHECK(has_validation(root));
  CHECK(in({{"256_ObjectCategories/001.ak47/001_0001.jpg", ""}}) == "caltech256");
  CHECK(in({{"train/n01440764/1.JPEG", ""}, {"val/ILSVRC2012_val_00000001.JPEG", ""}, {"val.txt", "x.JPEG 1"}}) ==
        "ilsvrc");
  CHECK(layout_of(root, "auto").splits(root) == Strings{"train", "val"});
  CHECK(in({{"train_list.txt", "a/1.jpg;0\n"}, {"images/a/1.jpg", ""}}) == "list");
  CHECK_FALSE(has_validation(root));
  CHECK(in({{"train.txt", "a word\n"}, {"train/a/1.png", ""}}) == "folder");
  // Who names a layout gets it.
  CHECK(layout_of(root, "list").name == std::string("list"));
  for (const Layout& layout : layouts()) contains(why(root, "train", "imagenet"), layout.name);
}

TEST_CASE("Tiny ImageNet, the real one") {
  const char* shared = std::getenv("ACOL_SHARED_DATA");
  const fs::path archive =
      (shared ? fs::path(shared) : fs::path(ACOL_SOURCE_DIR) / "../shared/data") / "tiny-imagenet-30.tar.gz";
  if (!fs::exists(archive)) {
    std::printf("skipped: no %s (set ACOL_SHARED_DATA)\n", archive.c_str());
    return;
  }
  const TempFolder folder;
  const std::string command = "tar -xzf '" + archive.string() + "' -C '" + folder.path.string() + "'";
  REQUIRE(std::system(command.c_str()) == 0);
  const fs::path root = folder.path / "tiny-imagenet-30";

  for (const auto& [split, a_class, degenerate] :
       {std::tuple{"train", 500, "39 degenerate boxes"}, std::tuple{"val", 50, "4 degenerate boxes"}}) {
    const Dataset dataset = open_dataset(root, split);
    CHECK(dataset.layout == "tiny-imagenet");
    CHECK(dataset.classes() == 30);
    CHECK(dataset.class_names[1] == "black widow");
    std::vector<int> counts(30);
    std::set<std::string> seen;
    std::size_t without = 0;
    for (const Sample& sample : dataset.samples) {
      ++counts[static_cast<std::size_t>(sample.label)];
      seen.insert(sample.id);
      without += sample.boxes.empty();
      for (const Box& box : sample.boxes)
        CHECK((box.x0 >= 0 && box.y0 >= 0 && box.x1 > box.x0 && box.y1 > box.y0 && box.x1 < 64 && box.y1 < 64));
    }
    CHECK(counts == std::vector<int>(30, a_class));
    CHECK(seen.size() == dataset.samples.size());
    REQUIRE(dataset.notes.size() == 1);
    contains(dataset.notes[0], degenerate);
    CHECK(std::to_string(without) + " degenerate boxes" == degenerate);
    for (std::size_t i = 0; i < dataset.samples.size(); i += 97) {
      const Image image = read_image(dataset.path(dataset.samples[i]));
      CHECK((image.width == 64 && image.height == 64));
    }
  }
}
