// How long the known data sets are, and which sets are taken for them.
#include "acol/data/published_sizes.h"

#include <doctest/doctest.h>

#include "tests/tree.h"

using namespace acol;
using namespace acol::testing;

TEST_CASE("the length of known sets") {
  const auto said = [](const char* layout, const char* split, int classes, std::size_t pictures, std::size_t boxes) {
    Dataset data;
    data.layout = layout;
    data.split = split;
    data.class_ids.resize(static_cast<std::size_t>(classes));
    data.samples.resize(pictures);
    std::string text;
    compare_with_published(
        data, boxes, [&](bool fatal, const std::string& what) { text += (fatal ? "FATAL " : "note ") + what + "\n"; });
    return text;
  };
  CHECK(said("cub", "train", 200, 5994, 0) == "");
  CHECK(said("cub", "train", 200, 5993, 0) == "FATAL 5993 pictures, CUB-200-2011 has 5994 in train\n");
  CHECK(said("cub", "test", 200, 5794, 0) == "");
  CHECK(said("ilsvrc", "val", 1000, 50001, 0) == "FATAL 50001 pictures, ILSVRC has 50000 in val\n");
  CHECK(said("ilsvrc", "val", 10, 500, 0) == "note a part of ILSVRC: 10 of its 1000 classes\n");
  CHECK(said("wsol", "test", 1000, 50000, 80477) == "");
  CHECK(said("wsol", "test", 1000, 50000, 80476) == "FATAL 80476 boxes, ILSVRC has 80477 in test\n");
  CHECK(said("wsol", "test", 100, 5000, 0) == "");
  CHECK(said("wsol", "test", 3, 7, 0) == "");  // somebody's own
  CHECK(said("folder", "train", 200, 1, 0) == "");

  const TemporaryFolder folder;
  put(folder / "257.clutter/257_0001.jpg", "");
  Dataset caltech;
  caltech.layout = "caltech256";
  caltech.split = "all";
  caltech.root = folder.path();
  for (int i = 1; i <= 256; ++i) caltech.class_ids.push_back(std::to_string(1000 + i).substr(1) + ".class");
  caltech.samples.resize(30606);
  std::string text;
  const auto keep = [&](bool, const std::string& what) { text += what; };
  compare_with_published(caltech, 0, keep);
  CHECK(text == "");
  caltech.samples.resize(30607);
  compare_with_published(caltech, 0, keep);
  CHECK(contains(text, "30608 pictures with 257.clutter"));
  // A drawn split: what lies in the folders.
  put(folder / "007.class/007_0001.jpg", "");
  caltech.split = "train";
  text.clear();
  compare_with_published(caltech, 0, keep);
  CHECK(contains(text, "2 pictures with 257.clutter"));
  caltech.split = "val";
  text.clear();
  compare_with_published(caltech, 0, keep);
  CHECK(text == "");
  caltech.split = "train";
  caltech.class_ids.resize(7);
  compare_with_published(caltech, 0, keep);
  CHECK(text == "a part of Caltech-256: 7 of its 256 classes");

  // Lists with as many classes as CUB.
  Dataset lists;
  lists.layout = "wsol";
  lists.split = "test";
  for (const char* first : {"001.Black_footed_Albatross", "0", "n01443537"}) {
    lists.class_ids.assign(200, first);
    lists.samples.resize(7);
    text.clear();
    compare_with_published(lists, 0, keep);
    CHECK((text != "") == (first[0] == '0'));
  }
}
