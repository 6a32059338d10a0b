// Caltech-256 on a small tree: what is a picture, and the split that is drawn, written and read.
#include "acol/data/caltech256.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "tests/tree.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;

namespace {

void make_class(const Tree& tree, const std::string& folder, int pictures) {
  for (int i = 1; i <= pictures; ++i) {
    std::string number = std::to_string(10'000 + i).substr(1);
    tree.file("256_ObjectCategories/" + folder + "/" + folder.substr(0, 3) + "_" + number + ".jpg");
  }
}

void make_tree(const Tree& tree) {
  make_class(tree, "056.dog", 40);
  make_class(tree, "198.spider", 45);
  make_class(tree, "257.clutter", 50);
  tree.file("256_ObjectCategories/056.dog/greg/vision309/x.jpg");
  tree.file("256_ObjectCategories/198.spider/RENAME2");
  tree.file("256_ObjectCategories/198.spider/.DS_Store");
}

std::string why(const Tree& tree, const std::string& split, const Caltech256Options& options = {}) {
  return error_of([&] { open_caltech256(tree.root(), split, options); });
}

}  // namespace

TEST_CASE("Caltech-256: pictures, strays and clutter") {
  const Tree tree;
  make_tree(tree);
  REQUIRE(is_caltech256_layout(tree.root()));
  REQUIRE(is_caltech256_layout(tree.root() / "256_ObjectCategories"));
  const Dataset all = open_caltech256(tree.root(), "all");
  CHECK(all.layout == "caltech256");
  CHECK(all.root == tree.root() / "256_ObjectCategories");
  CHECK(all.class_ids == Strings{"056.dog", "198.spider"});
  CHECK(all.class_names == Strings{"dog", "spider"});
  REQUIRE(all.samples.size() == 85);
  CHECK(ids(all)[0] == "056.dog/056_0001.jpg=0");
  CHECK(ids(all)[84] == "198.spider/198_0045.jpg=1");
  CHECK(fs::exists(all.path(all.samples[0])));
  CHECK(notes_with(all, "257.clutter left out (50 pictures)") == 1);
  CHECK(notes_with(all, "2 things in the class folders are no picture") == 1);
  CHECK(notes_with(all, "056.dog/greg, 198.spider/RENAME2") == 1);

  const Dataset with_clutter = open_caltech256(tree.root(), "all", {.clutter = true});
  CHECK(with_clutter.samples.size() == 135);
  CHECK(with_clutter.class_ids == Strings{"056.dog", "198.spider", "257.clutter"});
  CHECK(notes_with(with_clutter, "clutter") == 0);
  CHECK(ids(open_caltech256(tree.root() / "256_ObjectCategories", "all")) == ids(all));
}

TEST_CASE("Caltech-256: CUB's folders are called alike, and are not it") {
  const Tree tree;
  tree.file("001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg");
  CHECK_FALSE(is_caltech256_layout(tree.root()));
  CHECK_FALSE(is_caltech256_layout(tree.root() / "nowhere"));
}

TEST_CASE("Caltech-256: the split is drawn from the seed, class by class") {
  const Tree tree;
  make_tree(tree);
  const Dataset train = open_caltech256(tree.root(), "train"), val = open_caltech256(tree.root(), "val");
  CHECK(notes_with(train, "30 pictures a class for training, seed 1") == 1);
  CHECK(train.samples.size() == 60);
  CHECK(val.samples.size() == 25);
  CHECK(std::count_if(train.samples.begin(), train.samples.end(), [](const Sample& s) { return s.label == 0; }) == 30);
  std::set<std::string> both;
  for (const Dataset* part : {&train, &val})
    for (const std::string& id : ids(*part)) both.insert(id);
  CHECK(both.size() == 85);
  CHECK(std::is_sorted(train.samples.begin(), train.samples.end(),
                       [](const Sample& a, const Sample& b) { return a.id < b.id; }));
  CHECK(ids(open_caltech256(tree.root(), "test")) == ids(val));
  CHECK(ids(open_caltech256(tree.root(), "train")) == ids(train));
  CHECK(ids(open_caltech256(tree.root(), "train", {.seed = 2})) != ids(train));
  // A prefix of the same shuffle: 15 a class are among the 30.
  const Strings thirty = ids(train), fifteen = ids(open_caltech256(tree.root(), "train", {.train_per_class = 15}));
  CHECK(fifteen.size() == 30);
  CHECK(std::includes(thirty.begin(), thirty.end(), fifteen.begin(), fifteen.end()));
  // The draw is part of a published result and must never change. These come from a few lines of Python (Philox,
  // counter (i, 8, 56, 0), key 1; Fisher-Yates from the end), not from this program.
  Strings dogs;
  for (const Sample& sample : val.samples)
    if (sample.label == 0) dogs.push_back(sample.id.substr(12, 4));
  CHECK(dogs == Strings{"0002", "0004", "0019", "0020", "0025", "0027", "0030", "0031", "0037", "0039"});

  // Other classes change nothing.
  make_class(tree, "007.bat", 33);
  Strings again = ids(open_caltech256(tree.root(), "val"));
  std::erase_if(again, [](const std::string& id) { return id.starts_with("007"); });
  CHECK(again.size() == 25);
  for (std::size_t i = 0; i < again.size(); ++i) CHECK(again[i].substr(0, again[i].find('=')) == val.samples[i].id);
}

TEST_CASE("Caltech-256: a written split is read instead of drawn") {
  const Tree tree;
  make_tree(tree);
  const Caltech256Options options{.train_per_class = 20, .seed = 5};
  const Dataset val = open_caltech256(tree.root(), "val", options);
  const fs::path file = tree.root() / "acol_split.txt";
  CHECK(write_caltech256_split(tree.root(), options, file).starts_with("the split was drawn: 20 pictures"));
  const std::string text = text_of_file(file);
  CHECK(contains(text, "# Caltech-256: the split was drawn: 20 pictures a class for training, seed 5\n"));
  CHECK(contains(text, "\nval " + val.samples[0].id + "\n"));
  const Dataset read = open_caltech256(tree.root(), "val");  // whatever the options say
  CHECK(ids(read) == ids(val));
  CHECK(notes_with(read, "acol_split.txt") == 1);
  CHECK(open_caltech256(tree.root(), "train").samples.size() == 40);
  // It is what others write, too, whatever they ask for.
  CHECK(write_caltech256_split(tree.root(), {.seed = 6}, tree.root() / "again.txt") ==
        "the split is that of " + file.string());

  // Beside the class folders does as well.
  fs::rename(file, tree.root() / "256_ObjectCategories/acol_split.txt");
  CHECK(ids(open_caltech256(tree.root(), "val")) == ids(val));
  fs::remove(tree.root() / "256_ObjectCategories/acol_split.txt");

  tree.file("acol_split.txt", "train 056.dog/056_0001.jpg\r\nval 056.dog/056_0002.jpg\nval 056.dog/056_0999.jpg\n");
  const Dataset part = open_caltech256(tree.root(), "all");
  CHECK(ids(part) == Strings{"056.dog/056_0001.jpg=0", "056.dog/056_0002.jpg=0"});
  CHECK(notes_with(part, "83 pictures are not in acol_split.txt") == 1);
  CHECK(notes_with(part, "1 line of acol_split.txt without a picture") == 1);
  tree.file("acol_split.txt", "train 056.dog/056_0001.jpg\n");
  CHECK(contains(why(tree, "val"), "no picture in split \"val\""));
}

TEST_CASE("Caltech-256: what is refused") {
  const Tree tree;
  make_tree(tree);
  CHECK(contains(why(tree, "other"), "not \"other\""));
  CHECK(contains(why(tree, "train", {.train_per_class = 0}), "give at least 1"));
  CHECK(contains(why(tree, "train", {.train_per_class = 40}), "056.dog: 40 pictures"));
  CHECK(why(tree, "all", {.train_per_class = 40}).empty());
  const auto with = [&](const std::string& text) {
    return tree.with("acol_split.txt", text, [&] { return why(tree, "train"); });
  };
  CHECK(contains(with("# c\n\ntrain 056.dog/056_0001.jpg\ntest 056.dog/056_0002.jpg\n"), "acol_split.txt line 4: exp"));
  CHECK(contains(with("train\n"), "acol_split.txt line 1: expected"));
  CHECK(contains(with("train \n"), "acol_split.txt line 1: expected"));
  CHECK(contains(with("train a.jpg\nval a.jpg\n"), "acol_split.txt line 2: a.jpg occurs twice"));
  CHECK(contains(with("# nothing\n"), "acol_split.txt: names no picture"));
  fs::create_directories(tree.root() / "256_ObjectCategories/003.backpack");
  CHECK(contains(why(tree, "train"), "003.backpack has no pictures"));
  CHECK(contains(error_of([&] { open_caltech256(tree.root() / "256_ObjectCategories/056.dog", "train"); }),
                 "not Caltech-256"));
}
