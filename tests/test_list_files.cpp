// Lists of pictures with labels, in the three forms that code for ACoL has.
#include <doctest/doctest.h>

#include "acol/data/list_files.h"
#include "tests/tree.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;

namespace {

std::string why(const fs::path& root, const std::string& split) {
  return error_of([&] { open_list_files(root, split); });
}

}  // namespace

TEST_CASE("xiaomengyc's CUB: path;label, test_list.txt for val too, images/") {
  const TemporaryFolder folder;
  put(folder / "datalist/train_list.txt", "001.A/x.jpg;0\n002.B/y.jpg;1\n001.A/z 1.jpg;0\n");
  put(folder / "datalist/test_list.txt", "002.B/w.jpg;1");
  CHECK(is_list_layout(folder.path()));
  put(folder / "images/001.A/x.jpg", "");
  put(folder / "images/002.B/w.jpg", "");
  const Dataset train = open_list_files(folder.path(), "train");
  CHECK(train.layout == "list");
  CHECK(ids(train) == Strings{"images/001.A/x.jpg=0", "images/002.B/y.jpg=1", "images/001.A/z 1.jpg=0"});
  CHECK(train.class_ids == Strings{"001.A", "002.B"});
  CHECK(train.notes.empty());
  for (const char* split : {"val", "test"}) {
    const Dataset val = open_list_files(folder.path(), split);
    CHECK(ids(val) == Strings{"images/002.B/w.jpg=1"});
    CHECK(val.class_ids == train.class_ids);
  }
  CHECK(open_list_files(folder.path(), "all").samples.size() == 4);
  // The lists here, the pictures there.
  fs::rename(folder / "images", folder / "elsewhere");
  const Dataset split_up = open_list_files(folder.path(), "train", folder / "elsewhere");
  CHECK(split_up.path(split_up.samples[0]) == folder.path() / "elsewhere/001.A/x.jpg");
  CHECK(split_up.notes.empty());
  const Dataset lost = open_list_files(folder.path(), "train");
  REQUIRE(lost.notes.size() == 1);
  CHECK(contains(lost.notes[0], "its first picture, 001.A/x.jpg, is not in"));
}

TEST_CASE("halbielee's CUB: number, path, label") {
  const TemporaryFolder folder;
  put(folder / "train.txt", "1 001.A/x.jpg 0\r\n17 002.B/y.jpg 1\r\n");
  put(folder / "train/001.A/x.jpg", "");
  CHECK(is_list_layout(folder.path()));
  CHECK(ids(open_list_files(folder.path(), "train")) == Strings{"train/001.A/x.jpg=0", "train/002.B/y.jpg=1"});
  CHECK(contains(why(folder.path(), "val"), "no val_list.txt or val.txt"));
}

TEST_CASE("ILSVRC: path label, a name without a dot, and the two orders of classes") {
  const TemporaryFolder folder;
  std::string list;
  for (int i = 0; i < 1000; ++i)
    list += "n" + std::to_string(1000 + i) + "/a_" + std::to_string(i) + " " + std::to_string(i) + "\n";
  put(folder / "val_list.txt", "ILSVRC2012_val_00000001.JPEG 489\nILSVRC2012_val_00000002.JPEG\t360\n");
  put(folder / "val/ILSVRC2012_val_00000001.JPEG", "");
  const Dataset alone = open_list_files(folder.path(), "val");
  CHECK(ids(alone) == Strings{"val/ILSVRC2012_val_00000001.JPEG=489", "val/ILSVRC2012_val_00000002.JPEG=360"});
  REQUIRE(alone.classes() == 490);
  CHECK(alone.class_ids[489] == "490");
  REQUIRE(alone.notes.size() == 1);
  CHECK(contains(alone.notes[0], "ILSVRC's own ids"));

  put(folder / "train_list.txt", list);
  const Dataset both = open_list_files(folder.path(), "val");
  CHECK(both.classes() == 1000);
  CHECK(both.class_ids[489] == "n1489");
  CHECK(both.notes.empty());
  CHECK(open_list_files(folder.path(), "train").samples[7].id == "n1007/a_7.jpg");

  fs::remove(folder / "train_list.txt");
  put(folder / "val_list.txt", "ILSVRC2012_val_00000001.JPEG 65\nILSVRC2012_val_00000002.JPEG 970\n");
  CHECK(open_list_files(folder.path(), "val").class_ids[65] == "65");
}

TEST_CASE("what is refused, with its line; or all of it at once") {
  const TemporaryFolder folder;
  for (const char* line : {"b.jpg", "b.jpg x", "b.jpg -1", "b.jpg 1 0 1", "b.jpg;", ";1", "/b.jpg 1", "../b.jpg 1",
                           "b.jpg 99999999", "b.jpg 1.0"}) {
    put(folder / "train.txt", std::string("a.jpg 0\n\n") + line + "\n");
    CAPTURE(line);
    CHECK_MESSAGE(contains(why(folder.path(), "train"), "train.txt line 3: expected"), why(folder.path(), "train"));
  }
  put(folder / "train.txt", "a.jpg 0\na.jpg 1\nb.jpg\nc.jpg 2\n");
  CHECK(contains(why(folder.path(), "train"), "line 2: a.jpg occurs twice"));
  Strings faults;
  CHECK(open_list_files(folder.path(), "train", {}, &faults).samples.size() == 2);
  REQUIRE(faults.size() == 2);
  CHECK(contains(faults[1], "line 3"));
  put(folder / "train.txt", "\n\n");
  CHECK(contains(why(folder.path(), "train"), "names no picture"));
  CHECK(contains(why(folder.path(), "test_list"), "there are train, val, test and all"));
  CHECK(contains(why(folder / "nowhere", "all"), "no list"));
}

TEST_CASE("other text files are no lists") {
  const TemporaryFolder folder;
  CHECK_FALSE(is_list_layout(folder.path()));
  for (const char* text : {"", "\n", "notes on the training\n", "2008_000008\n", "a.jpg\n", "tea.txt 5\n"}) {
    put(folder / "train.txt", text);
    CAPTURE(text);
    CHECK_FALSE(is_list_layout(folder.path()));
  }
  put(folder / "val.txt", "\nx.JPEG 3\n");
  CHECK(is_list_layout(folder.path()));
}
