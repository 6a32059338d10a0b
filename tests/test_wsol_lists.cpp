// wsolevaluation's metadata lists: small ones made here in the exact form, every damage, and a large one for the time.
#include <doctest/doctest.h>

#include <chrono>

#include "acol/data/wsol_lists.h"
#include "tests/tree.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;

namespace {

// As metadata/CUB: folders that name the classes in train and test, others in val.
void make_cub(const fs::path& root) {
  put(root / "train/image_ids.txt", "001.Albatross/a.jpg\n002.Auk/b.jpg\n001.Albatross/c.jpg\n");
  put(root / "train/class_labels.txt", "001.Albatross/a.jpg,0\n002.Auk/b.jpg,1\n001.Albatross/c.jpg,0\n");
  put(root / "train/image_sizes.txt", "001.Albatross/a.jpg,500,333\n002.Auk/b.jpg,20,10\n001.Albatross/c.jpg,7,7\n");
  put(root / "train/localization.txt", "");
  put(root / "train/image_ids_proxy.txt", "002.Auk/b.jpg");
  put(root / "test/image_ids.txt", "002.Auk/e.jpg\n001.Albatross/d.jpg");  // the last line has no end
  put(root / "test/class_labels.txt", "002.Auk/e.jpg,1\n001.Albatross/d.jpg,0");
  put(root / "test/image_sizes.txt", "001.Albatross/d.jpg,40,30\n002.Auk/e.jpg,64,48");
  put(root / "test/localization.txt", "001.Albatross/d.jpg,1,2,30,20\n002.Auk/e.jpg,0,0,63,47\n002.Auk/e.jpg,5,6,5,6");
  put(root / "val/image_ids.txt", "0/0.jpeg\n");
  put(root / "val/class_labels.txt", "0/0.jpeg,0\n");
  put(root / "val/image_sizes.txt", "0/0.jpeg,9,8\n");
  put(root / "val/localization.txt", "0/0.jpeg,1,1,3,3\n");
}

// As metadata/OpenImages: masks, an ignore mask on the first line of a picture, no sizes.
void make_open_images(const fs::path& root) {
  put(root / "test/image_ids.txt", "test/0abc/1.jpg\ntest/9xyz/2.jpg\n");
  put(root / "test/class_labels.txt", "test/0abc/1.jpg,0\ntest/9xyz/2.jpg,1\n");
  put(root / "test/image_sizes.txt", "");
  put(root / "test/localization.txt",
      "test/0abc/1.jpg,test/0abc/1_m1.png,test/0abc/1_ignore.png\n"
      "test/0abc/1.jpg,test/0abc/1_m2.png,\n"
      "test/9xyz/2.jpg,test/9xyz/2_m1.png,test/9xyz/2_ignore.png");
}

std::string why(const fs::path& metadata, const std::string& split) {
  return error_of([&] { open_wsol_lists(metadata, split, {}, {}); });
}

}  // namespace

TEST_CASE("CUB's form: order, labels, sizes, several boxes, a last line without an end") {
  const TemporaryFolder folder;
  make_cub(folder.path());
  CHECK(is_wsol_metadata(folder.path()));
  CHECK(is_wsol_metadata(folder / "val"));
  CHECK_FALSE(is_wsol_metadata(folder.path().parent_path() / "nowhere"));

  const Dataset test = open_wsol_lists(folder.path(), "test", folder / "images", {});
  CHECK(test.layout == "wsol");
  CHECK(test.split == "test");
  CHECK(test.class_ids == Strings{"001.Albatross", "002.Auk"});
  CHECK(test.notes.empty());
  REQUIRE(test.samples.size() == 2);
  const Sample &first = test.samples[0], &second = test.samples[1];
  CHECK(first.id == "002.Auk/e.jpg");
  CHECK(first.label == 1);
  CHECK((first.width == 64 && first.height == 48));
  CHECK(first.boxes == std::vector<Box>{{0, 0, 63, 47}, {5, 6, 5, 6}});
  CHECK(second.label == 0);
  CHECK(second.boxes == std::vector<Box>{{1, 2, 30, 20}});
  CHECK((second.width == 40 && second.height == 30));
  CHECK(test.path(first) == folder.path() / "images/002.Auk/e.jpg");

  const Dataset train = open_wsol_lists(folder.path(), "train", {}, {});
  CHECK(train.samples.size() == 3);
  CHECK_FALSE(train.has_boxes());
  CHECK(train.root == folder.path());
  // Its own folders and its own labels tell less; a model trained on train must know them.
  CHECK(open_wsol_lists(folder.path(), "val", {}, {}).class_ids == train.class_ids);
  CHECK(open_wsol_lists(folder / "val", "", {}, {}).class_ids == train.class_ids);
  CHECK(open_wsol_lists(folder / "val", "", {}, {}).split == "val");
  const Dataset proxy = open_wsol_lists(folder.path(), "train_proxy", {}, {});
  REQUIRE(proxy.samples.size() == 1);
  CHECK(proxy.samples[0].label == 1);
  CHECK(proxy.samples[0].width == 20);
  CHECK(proxy.notes.empty());
  CHECK(open_wsol_lists(folder.path(), "all", {}, {}).samples.size() == 6);
}

TEST_CASE("lines may end in CR LF, and a path may hold commas") {
  const TemporaryFolder folder;
  put(folder / "m/test/image_ids.txt", "a/x,y.jpg\r\n");
  put(folder / "m/test/class_labels.txt", "a/x,y.jpg,0\r\n");
  put(folder / "m/test/image_sizes.txt", "a/x,y.jpg,4,5\r\n");
  put(folder / "m/test/localization.txt", "a/x,y.jpg,1,2,3,4\r\n");
  const Dataset data = open_wsol_lists(folder / "m", "test", {}, {});
  REQUIRE(data.samples.size() == 1);
  CHECK(data.samples[0].id == "a/x,y.jpg");
  CHECK(data.samples[0].boxes == std::vector<Box>{{1, 2, 3, 4}});
  CHECK(data.samples[0].height == 5);
  CHECK(data.class_ids == Strings{"a"});
}

TEST_CASE("OpenImages' form: masks, the ignore mask on the first line, no sizes") {
  const TemporaryFolder folder;
  make_open_images(folder.path());
  const Dataset test = open_wsol_lists(folder.path(), "test", folder / "images", folder / "masks");
  CHECK(test.class_ids == Strings{"0abc", "9xyz"});
  REQUIRE(test.samples.size() == 2);
  CHECK(test.samples[0].masks == Strings{"test/0abc/1_m1.png", "test/0abc/1_m2.png"});
  CHECK(test.samples[0].ignore_mask == "test/0abc/1_ignore.png");
  CHECK(test.samples[1].masks == Strings{"test/9xyz/2_m1.png"});
  CHECK(test.samples[0].width == 0);
  CHECK(test.samples[0].boxes.empty());
  CHECK(test.notes.empty());
  CHECK(test.mask_path(test.samples[1].masks[0]) == folder.path() / "masks/test/9xyz/2_m1.png");
  CHECK(open_wsol_lists(folder.path(), "test", folder / "images", {}).mask_path("m.png") ==
        folder.path() / "images/m.png");
}

TEST_CASE("numbers are the class ids where folders do not tell the classes") {
  const TemporaryFolder folder;
  make_cub(folder.path());
  fs::remove_all(folder / "train");
  for (const char* ids : {"x/1.jpg,0\nx/2.jpg,1\n", "x/1.jpg,0\ny/2.jpg,0\nz/2.jpg,1\n", "1.jpg,0\n2.jpg,1\n"}) {
    put(folder / "test/class_labels.txt", ids);
    CHECK(open_wsol_lists(folder.path(), "val", {}, {}).class_ids == Strings{"0", "1"});
  }
}

TEST_CASE("every damage is an error with file and line") {
  const TemporaryFolder folder;
  make_cub(folder.path());
  const auto with = [&](const std::string& file, const std::string& text) {
    const std::string before = text_of_file(folder / file);
    write(folder / file, text);
    const std::string message = why(folder.path(), "test");
    write(folder / file, before);
    return message;
  };
  const auto expect = [&](const std::string& list, const std::string& text, const std::string& line,
                          const std::string& part) {
    const std::string message = with("test/" + list, text);
    CAPTURE(text);
    CHECK_MESSAGE(contains(message, list + (line.empty() ? "" : " line " + line) + ": "), message);
    CHECK_MESSAGE(contains(message, part), message);
  };
  const std::string d = "001.Albatross/d.jpg", e = "002.Auk/e.jpg";
  expect("image_ids.txt", d + "\n" + e + "\n\n" + d, "4", "occurs twice");
  expect("image_ids.txt", "/etc/passwd\n", "1", "under the folder");
  expect("image_ids.txt", d + "\na/../../b.jpg\n", "2", "under the folder");
  expect("image_ids.txt", "\n", "", "names no picture");
  expect("class_labels.txt", d + ",0\n" + e + ",x\n", "2", "path,label");
  expect("class_labels.txt", d + ",0\n" + e + ",-1\n", "2", "path,label");
  expect("class_labels.txt", d + ",0\n" + e + ",1000000000\n", "2", "path,label");
  expect("class_labels.txt", d + ",0\n" + e + ",1\n" + d + ",1\n", "3", "label 1 here and 0 before");
  expect("class_labels.txt", d + ",0\n", "", "no label for \"" + e + "\" and 0 other");
  expect("image_sizes.txt", d + ",40,30\n" + e + ",0,48\n", "2", "path,width,height");
  expect("image_sizes.txt", d + ",40\n", "1", "path,width,height");
  expect("image_sizes.txt", d + ",40,30\n" + d + ",40,31\n", "2", "40x31 here and 40x30 before");
  for (const char* box : {",1,2,3", ",1,2,3,x", ",1.5,2,3,4", ",-1,2,3,4", ",1,-2,3,4", ",4,2,3,4", ",1,5,3,4", ""})
    expect("localization.txt", d + ",1,2,3,4\n" + e + box + "\n", "2", "path,x0,y0,x1,y1");
  expect("localization.txt", d + ",1,2,3,4\n" + e + ",m.png,\n", "2", "as before");
  expect("localization.txt", d + ",m.png,\n", "1", "ignore mask belongs on the first line");
  expect("localization.txt", d + ",m.png,i.png\n" + d + ",n.png,i.png\n", "2", "ignore mask belongs on the first line");
  expect("localization.txt", d + ",../m.png,i.png\n", "1", "under the folder of the masks");

  CHECK(contains(why(folder.path(), "other"), "found: test, train, val"));
  CHECK(contains(why(folder / "val", "test"), "the split val; asked for test"));
  CHECK(contains(why(folder / "nowhere", "test"), "no such folder"));
}

TEST_CASE("all faults at once, for who wants to mend a list") {
  const TemporaryFolder folder;
  make_cub(folder.path());
  const std::string d = "001.Albatross/d.jpg", e = "002.Auk/e.jpg";
  write(folder / "test/image_ids.txt", d + "\n" + e + "\n" + d + "\n");
  write(folder / "test/class_labels.txt", e + ",1\n");
  write(folder / "test/localization.txt", e + ",9,0,5,5\n" + e + ",1,1,2,2\n" + e + ",x\n");
  Strings faults;
  const Dataset data = open_wsol_lists(folder.path(), "test", {}, {}, &faults);
  REQUIRE(faults.size() == 4);
  CHECK(contains(faults[0], "image_ids.txt line 3"));
  CHECK(contains(faults[1], "no label"));
  CHECK(contains(faults[2], "localization.txt line 1"));
  CHECK(contains(faults[3], "localization.txt line 3"));
  REQUIRE(data.samples.size() == 1);
  CHECK(data.samples[0].id == e);
  CHECK(data.samples[0].width == 64);  // found again after the other was dropped
  CHECK(data.samples[0].boxes == std::vector<Box>{{1, 1, 2, 2}});
}

TEST_CASE("odd but harmless: lines about other pictures, pictures without a line") {
  const TemporaryFolder folder;
  make_cub(folder.path());
  write(folder / "test/localization.txt", "x/y.jpg,1,2,3,4\n001.Albatross/d.jpg,1,2,3,4\nx/z.jpg,1,2,3,4\n");
  const Dataset data = open_wsol_lists(folder.path(), "test", {}, {});
  REQUIRE(data.notes.size() == 2);
  CHECK(contains(data.notes[0], "2 lines name pictures not in image_ids.txt"));
  CHECK(contains(data.notes[0], "localization.txt line 1: x/y.jpg"));
  CHECK(contains(data.notes[1], "1 of 2 pictures have no line with a box"));
}

TEST_CASE("as many pictures and boxes as ILSVRC's validation set, in a moment") {
  const TemporaryFolder folder;
  std::string ids, labels, sizes, boxes;
  for (int i = 0; i < 50000; ++i) {
    const std::string id = "val/ILSVRC2012_val_" + std::to_string(10000000 + i) + ".JPEG";
    ids += id + "\n";
    labels += id + "," + std::to_string(i % 1000) + "\n";
    sizes += id + ",500,375\n";
    for (int k = 0; k < (i % 5 < 3 ? 2 : 1); ++k) boxes += id + ",1,2," + std::to_string(300 + k) + ",374\n";
  }
  put(folder / "m/test/image_ids.txt", ids);
  put(folder / "m/test/class_labels.txt", labels);
  put(folder / "m/test/image_sizes.txt", sizes);
  put(folder / "m/test/localization.txt", boxes);
  const auto start = std::chrono::steady_clock::now();
  const Dataset data = open_wsol_lists(folder / "m", "test", {}, {});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  MESSAGE(seconds, " s");
  CHECK(seconds < 20);  // about 0.2; a search through a list for each line would take minutes
  CHECK(data.samples.size() == 50000);
  CHECK(data.classes() == 1000);
  CHECK(data.class_ids[7] == "7");
  std::size_t count = 0;
  for (const Sample& sample : data.samples) count += sample.boxes.size();
  CHECK(count == 80000);
}
