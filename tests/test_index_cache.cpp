// Lists kept between runs: used while nothing has changed, never when something has, and damage does no harm.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>

#include "acol/data/index_cache.h"
#include "acol/data/layouts.h"
#include "tensor/file.h"
#include "tests/tree.h"

using namespace acol;
using namespace acol::testing;
namespace fs = std::filesystem;

namespace {

struct World {
  TemporaryFolder folder;
  fs::path data = folder / "data";
  IndexCache cache{folder / "cache", 1, 0};
  bool kept = false;

  World() {
    for (const char* name : {"train/a/1.png", "train/a/10.png", "train/b/2.jpg", "val/a/3.png", "val/b/4.png"})
      put(data / name);
    put(data / "train/boxes.csv", "a/1.png,1,2,3,4\na/1.png,0,0,0,0\n");
    settle();
  }
  // The clock of a file system ticks every few milliseconds.
  void settle() const { std::this_thread::sleep_for(std::chrono::milliseconds(30)); }

  Dataset open(const std::string& split = "train") {
    const Layout& layout = layout_of(data, "folder");
    return cached_index(
        cache, layout.name, data, split, layout.sources(data), [&] { return layout.open(data, split); }, &kept);
  }
  fs::path only_file() const {
    fs::path file;
    for (const auto& entry : fs::directory_iterator(cache.folder)) {
      CHECK(file.empty());
      file = entry.path();
    }
    return file;
  }
};

bool same(const Dataset& a, const Dataset& b) {
  const auto same_sample = [](const Sample& x, const Sample& y) {
    return x.id == y.id && x.label == y.label && x.boxes == y.boxes && x.masks == y.masks &&
           x.ignore_mask == y.ignore_mask && x.width == y.width && x.height == y.height &&
           x.blacklisted == y.blacklisted;
  };
  return a.layout == b.layout && a.root == b.root && a.mask_root == b.mask_root && a.split == b.split &&
         a.class_ids == b.class_ids && a.class_names == b.class_names && a.notes == b.notes &&
         a.cut_boxes == b.cut_boxes && a.apply_exif == b.apply_exif &&
         std::equal(a.samples.begin(), a.samples.end(), b.samples.begin(), b.samples.end(), same_sample);
}

}  // namespace

TEST_CASE("the second time the kept list is used, and it is the same") {
  World world;
  const Dataset first = world.open();
  CHECK_FALSE(world.kept);
  const Dataset second = world.open();
  CHECK(world.kept);
  CHECK(first.samples.size() == 3);
  CHECK(same(first, second));
  CHECK(second.samples[0].boxes.size() == 2);
  // Another split, another way to write the root: other lists.
  world.open("val");
  CHECK_FALSE(world.kept);
  world.data = world.data.parent_path() / "." / "data";
  const Dataset third = world.open();
  CHECK_FALSE(world.kept);
  CHECK(third.root == world.data);
}

TEST_CASE("every field survives") {
  World world;
  Dataset data{.layout = "folder",
               .root = world.data,
               .mask_root = "masks",
               .split = "train",
               .class_ids = {"a", ""},
               .class_names = {"\xc3\xa4", std::string("b\0c", 3)},
               .samples = {},
               .notes = {"one", "two\nlines"},
               .cut_boxes = true,
               .apply_exif = true};
  data.samples.push_back({.id = "train/a/1.png", .label = 1, .boxes = {{-3, 0, 1 << 30, 7}, {1, 2, 3, 4}}});
  data.samples.push_back({.id = "train/a/10.png", .label = -1, .masks = {"m", "n"}, .ignore_mask = "i", .width = 640});
  data.samples.push_back({.id = "t", .height = 300, .blacklisted = true});
  const auto open = [&] {
    return cached_index(
        world.cache, "folder", world.data, "train", {{world.data}, {}}, [&] { return data; }, &world.kept);
  };
  open();
  CHECK(same(open(), data));
  CHECK(world.kept);
}

TEST_CASE("any change of a folder or a list makes it stale") {
  World world;
  const auto changed = [&](const auto& change) {
    world.open();
    world.open();
    CHECK(world.kept);
    world.settle();
    change();
    world.settle();
    const Dataset data = world.open();
    CHECK_FALSE(world.kept);
    return data;
  };
  CHECK(changed([&] { put(world.data / "train/b/3.jpg"); }).samples.size() == 4);
  CHECK(changed([&] { fs::remove(world.data / "train/b/3.jpg"); }).samples.size() == 3);
  CHECK(changed([&] { fs::rename(world.data / "train/b/2.jpg", world.data / "train/b/5.jpg"); }).samples[2].id ==
        "train/b/5.jpg");
  CHECK(changed([&] { put(world.data / "train/c/1.png"); }).classes() == 3);
  CHECK(changed([&] { put(world.data / "train/boxes.csv", "a/1.png,1,2,3,5\n"); }).samples[0].boxes.size() == 1);
  CHECK(changed([&] { put(world.data / "train_masks/a/1.png"); }).samples[0].masks.size() == 1);

  // The same size, and the time of the content set back: rsync and tar do so.
  const Dataset data = changed([&] {
    struct stat before {};
    REQUIRE(::stat((world.data / "train/boxes.csv").c_str(), &before) == 0);
    put(world.data / "train/boxes.csv", "a/1.png,1,2,3,9\n");
    const timespec times[2] = {before.st_atim, before.st_mtim};
    REQUIRE(::utimensat(AT_FDCWD, (world.data / "train/boxes.csv").c_str(), times, 0) == 0);
  });
  CHECK(data.samples[0].boxes == std::vector<Box>{{1, 2, 3, 9}});

  // A picture's content is not in the list.
  world.open();
  world.settle();
  put(world.data / "train/a/1.png", "other");
  world.open();
  CHECK(world.kept);
}

TEST_CASE("places outside the data set, even those that are not there yet") {
  World world;
  put(world.folder / "lists/x.txt");
  world.settle();
  const auto open = [&] {
    cached_index(
        world.cache, "folder", world.data, "train", {{world.data}, {world.folder / "lists", world.folder / "later"}},
        [&] { return layout_of(world.data, "folder").open(world.data, "train"); }, &world.kept);
    return world.kept;
  };
  open();
  CHECK(open());
  world.settle();
  put(world.folder / "lists/x.txt", "y");
  world.settle();
  CHECK_FALSE(open());
  CHECK(open());
  put(world.folder / "later/y.txt");
  world.settle();
  CHECK_FALSE(open());
}

TEST_CASE("ILSVRC: XML files are looked at only where boxes come from them") {
  World world;
  const auto trees = [&] { return layout_of(world.data, "ilsvrc").sources(world.data).trees; };
  const auto watches = [&](const char* folder) {
    const std::vector<fs::path> all = trees();
    return std::find(all.begin(), all.end(), world.data / folder) != all.end();
  };
  CHECK(watches("Annotations/CLS-LOC"));
  put(world.data / "LOC_val_solution.csv");
  CHECK(watches("Annotations/CLS-LOC"));  // train's
  put(world.data / "LOC_train_solution.csv");
  CHECK_FALSE(watches("Annotations/CLS-LOC"));
  CHECK(trees() == std::vector<fs::path>{world.data});
}

TEST_CASE("what is still being written is not kept") {
  World world;
  world.cache.settle_seconds = 3600;
  world.open();
  world.open();
  CHECK_FALSE(world.kept);
  CHECK_FALSE(fs::exists(world.cache.folder));
}

TEST_CASE("a damaged cache is as none") {
  World world;
  const Dataset right = world.open();
  const fs::path file = world.only_file();
  const std::string whole = read_file(file);
  world.open();
  REQUIRE(world.kept);
  for (std::size_t at = 0; at < whole.size(); at += 3) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x41);
    write(file, damaged);
    const Dataset data = world.open();
    CHECK_FALSE(world.kept);
    CHECK(same(data, right));
    write(file, whole.substr(0, at));
    world.open();
    CHECK_FALSE(world.kept);
  }
  world.open();
  CHECK(world.kept);  // mended on the way
}

TEST_CASE("no cache: small lists, no folder for it, no right to write there") {
  World world;
  world.cache.min_samples = 4;
  world.open();
  CHECK_FALSE(fs::exists(world.cache.folder));
  world.cache.min_samples = 3;
  write(world.cache.folder, "a file where the folder should be");
  CHECK(world.open().samples.size() == 3);
  world.cache.folder.clear();
  CHECK(world.open().samples.size() == 3);
  world.open();
  CHECK_FALSE(world.kept);
}

TEST_CASE("where it lies") {
  ::setenv("ACOL_CACHE", "/x/y", 1);
  CHECK(IndexCache::from_environment().folder == "/x/y");
  ::setenv("ACOL_CACHE", "off", 1);
  CHECK(IndexCache::from_environment().folder.empty());
  ::unsetenv("ACOL_CACHE");
  ::setenv("XDG_CACHE_HOME", "/x", 1);
  CHECK(IndexCache::from_environment().folder == "/x/acol");
  ::unsetenv("XDG_CACHE_HOME");
  ::setenv("HOME", "/h", 1);
  CHECK(IndexCache::from_environment().folder == "/h/.cache/acol");
}
