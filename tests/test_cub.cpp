// CUB-200-2011: small trees made here, and the real lists where they are at hand.
#include "acol/data/cub.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <numeric>
#include <set>

#include "tests/tree.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;

namespace {

// Three pictures; ids neither sorted nor without gaps.
void make_lists(const Tree& tree, const std::string& in = "") {
  tree.file(in + "images.txt", "1 001.Black_footed_Albatross/a.jpg\n7 002.Crow/c.jpg\r\n3 002.Crow/b.jpg\n");
  tree.file(in + "image_class_labels.txt", "3 2\n1 1\n7 2");
  tree.file(in + "train_test_split.txt", "1 1\n7 0\n3 1\n");
  tree.file(in + "bounding_boxes.txt", "1 0.0 27.0 325.0 304.0\n3 1.0 2.0 3.0 4.0 \n7 139.0 30.0 0.0 264.0\n");
  tree.file(in + "classes.txt", "1 001.Black_footed_Albatross\n2 002.Crow\n");
}

std::string why(const Tree& tree, const std::string& split = "all") {
  return error_of([&] { open_cub(tree.root(), split); });
}

}  // namespace

TEST_CASE("CUB: splits, labels from 0, boxes one wider than they say") {
  const Tree tree;
  make_lists(tree);
  tree.file("images/001.Black_footed_Albatross/a.jpg");
  REQUIRE(is_cub_layout(tree.root()));
  const Dataset train = open_cub(tree.root(), "train");
  CHECK(train.layout == "cub");
  CHECK(train.split == "train");
  CHECK(train.root == tree.root() / "images");
  CHECK(fs::exists(train.path(train.samples.at(0))));
  CHECK(train.class_ids == Strings{"001.Black_footed_Albatross", "002.Crow"});
  CHECK(train.class_names == Strings{"Black footed Albatross", "Crow"});
  CHECK(ids(train) == Strings{"001.Black_footed_Albatross/a.jpg=0", "002.Crow/b.jpg=1"});
  CHECK(train.samples[0].boxes == Boxes{{0, 27, 325, 331}});
  CHECK(train.samples[1].boxes == Boxes{{1, 2, 4, 6}});
  CHECK(train.samples[0].width == 0);

  for (const char* split : {"val", "test"}) {
    const Dataset test = open_cub(tree.root(), split);
    CHECK(ids(test) == Strings{"002.Crow/c.jpg=1"});
    CHECK(test.samples[0].boxes.empty());  // it has no width
    CHECK(notes_with(test, "1 degenerate box") == 1);
    CHECK(notes_with(test, "missing") == 0);
  }
  CHECK(ids(open_cub(tree.root(), "all")) ==
        Strings{"001.Black_footed_Albatross/a.jpg=0", "002.Crow/c.jpg=1", "002.Crow/b.jpg=1"});
}

TEST_CASE("CUB: as the archive unpacks, without pictures, without boxes") {
  const Tree tree;
  CHECK_FALSE(is_cub_layout(tree.root()));
  CHECK(contains(why(tree), "expected images.txt"));
  make_lists(tree, "CUB_200_2011/");
  REQUIRE(is_cub_layout(tree.root()));
  fs::remove(tree.root() / "CUB_200_2011/bounding_boxes.txt");
  const Dataset all = open_cub(tree.root(), "all");
  CHECK(all.root == tree.root() / "CUB_200_2011/images");
  CHECK(all.samples.size() == 3);
  CHECK_FALSE(all.has_boxes());
  CHECK(notes_with(all, "images is missing") == 1);
  CHECK(notes_with(all, "bounding_boxes.txt is missing") == 1);
}

TEST_CASE("a box is cut to its picture as wsolevaluation cuts") {
  CHECK(clipped_box({10, 20, 100, 80}, 100, 81) == Box{10, 20, 99, 80});
  CHECK(clipped_box({-3, -4, 5, 6}, 100, 81) == Box{0, 0, 5, 6});
  Dataset lists;
  lists.samples = {{.boxes = {{10, 20, 100, 80}}}};
  CHECK(lists.true_boxes(lists.samples[0], 100, 81) == std::vector<Box>{{10, 20, 100, 80}});
  lists.cut_boxes = true;
  CHECK(lists.true_boxes(lists.samples[0], 100, 81) == std::vector<Box>{{10, 20, 99, 80}});
  CHECK(clipped_box({200, 5, 300, 6}, 100, 81) == Box{99, 5, 99, 6});
}

TEST_CASE("CUB: damaged lists are named with their line") {
  const Tree tree;
  make_lists(tree);
  CHECK(why(tree).empty());
  CHECK(contains(why(tree, "other"), "not \"other\""));
  const auto with = [&](const char* file, const std::string& text) {
    return tree.with(file, text, [&] { return why(tree); });
  };
  const std::string& root = tree.root().string();
  for (const auto& [file, text, part] : std::vector<std::array<std::string, 3>>{
           {"images.txt", "1 a.jpg\n2\n", "images.txt line 2: expected `id path`"},
           {"images.txt", "1 a.jpg\nx b.jpg\n", "images.txt line 2: expected `id path`"},
           {"images.txt", "1 a.jpg\n1 b.jpg\n", "images.txt line 2: 1 occurs twice"},
           {"images.txt", "1 a.jpg\n2 a.jpg\n", "images.txt: a.jpg occurs twice"},
           {"images.txt", "1 ../a.jpg\n", "images.txt line 1: expected a path under images/"},
           {"images.txt", "1 /a.jpg\n", "images.txt line 1: expected a path under images/"},
           {"images.txt", "\n", "images.txt: names no picture"},
           {"image_class_labels.txt", "3 2\n1 3\n7 2\n", "image_class_labels.txt line 2: expected a class from 1 to 2"},
           {"image_class_labels.txt", "3 2\n1 0\n7 2\n", "image_class_labels.txt line 2: expected a class from 1 to 2"},
           {"image_class_labels.txt", "3 2\n9 1\n7 2\n", "image_class_labels.txt line 2: picture 9 is not in"},
           {"image_class_labels.txt", "3 2\n3 1\n", "image_class_labels.txt line 2: 3 occurs twice"},
           {"image_class_labels.txt", "3 2\n7 2\n", "image_class_labels.txt: no line for picture 1"},
           {"train_test_split.txt", "1 1\n7 2\n3 1\n", "train_test_split.txt line 2: expected 1 (train) or 0 (test)"},
           {"train_test_split.txt", "1 1\n7 0\n", "train_test_split.txt: no line for picture 3"},
           {"bounding_boxes.txt", "1 0.0 27.0 325.0\n", "bounding_boxes.txt line 1: expected `id x y width height`"},
           {"bounding_boxes.txt", "1 0.0 -1.0 3.0 4.0\n", "bounding_boxes.txt line 1: expected"},
           {"bounding_boxes.txt", "1 0.0 nan 3.0 4.0\n", "bounding_boxes.txt line 1: expected"},
           {"bounding_boxes.txt", "1 0.0 1e9 3.0 4.0\n", "bounding_boxes.txt line 1: expected"},
           {"bounding_boxes.txt", "1 0.0 1.0 3.0 4.0\n", "bounding_boxes.txt: no line for picture 7"},
           {"classes.txt", "1 a\n3 b\n", "classes.txt line 2: expected class 2, got 3"},
           {"classes.txt", "1 a\n2 a\n", "classes.txt line 2: a occurs twice"},
           {"classes.txt", "1 \xe4\n", "classes.txt line 1: the name is not UTF-8"},
           {"classes.txt", "", "classes.txt: names no class"}}) {
    const std::string tried = file + ": " + text;
    INFO(tried);
    const std::string message = with(file.c_str(), text);
    INFO(message);
    CHECK(contains(message, part));
    CHECK(contains(message, root));
  }
  fs::remove(tree.root() / "classes.txt");
  CHECK(contains(why(tree), "classes.txt"));
}

TEST_CASE("CUB, the real lists") {
  const fs::path root = shared_data() / "cub-200-2011-metadata";
  if (!fs::exists(root)) {
    std::printf("skipped: no %s (set ACOL_SHARED_DATA)\n", root.c_str());
    return;
  }
  REQUIRE(is_cub_layout(root));
  const Dataset all = open_cub(root, "all"), train = open_cub(root, "train"), test = open_cub(root, "test");
  CHECK(all.samples.size() == 11'788);
  CHECK(train.samples.size() == 5'994);
  CHECK(test.samples.size() == 5'794);
  CHECK(ids(open_cub(root, "val")) == ids(test));
  CHECK(all.classes() == 200);
  CHECK(all.class_names[199] == "Common Yellowthroat");
  CHECK(all.notes.size() == 1);  // there are no pictures
  std::set<std::string> seen;
  int at_zero = 0;
  for (const Sample& sample : all.samples) {
    seen.insert(sample.id);
    REQUIRE(sample.boxes.size() == 1);
    at_zero += sample.boxes[0].x0 == 0;
    // The folder's number is the class.
    CHECK(std::stoi(sample.id.substr(0, 3)) == sample.label + 1);
    CHECK(sample.id.substr(0, sample.id.find('/')) == all.class_ids[static_cast<std::size_t>(sample.label)]);
  }
  CHECK(seen.size() == 11'788);
  CHECK(at_zero == 73);
  CHECK(all.samples[0].id == "001.Black_footed_Albatross/Black_Footed_Albatross_0046_18.jpg");
  CHECK(all.samples[0].boxes[0] == Box{60, 27, 385, 331});
  CHECK(test.samples[0].id == all.samples[0].id);
}
