// Batches: same bits however they are made, broken files left out, threads that stop.
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <set>
#include <string>

#include "acol/data/loader.h"
#include "tensor/check.h"
#include "tensor/file.h"

using namespace acol;
namespace fs = std::filesystem;

namespace {

void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;  // without the wait for the disk
}

// Pictures of different sizes, number i in class i % 3.
struct Pictures {
  fs::path path = fs::temp_directory_path() / ("acol_test_loader_" + std::to_string(::getpid()));
  Dataset dataset;

  explicit Pictures(int count) {
    fs::remove_all(path);
    fs::create_directories(path);
    dataset.root = path;
    dataset.class_ids = dataset.class_names = {"a", "b", "c"};
    for (int i = 0; i < count; ++i) {
      Image image{20 + i % 5, 18 + i % 3, {}};
      for (int j = 0; j < image.width * image.height * 3; ++j)
        image.rgb.push_back(static_cast<std::uint8_t>(j * (i + 3) + i * 11));
      const std::string name = std::to_string(i) + ".png";
      write_text(path / name, encode_png(image));
      dataset.samples.push_back({.id = name, .label = i % 3});
    }
  }
  ~Pictures() { fs::remove_all(path); }
  Image read(int sample) const { return read_image(dataset.path(dataset.samples[static_cast<std::size_t>(sample)])); }
};

LoaderOptions options(bool training, int batch_size = 4) {
  LoaderOptions chosen;
  chosen.how.resize = 16;
  chosen.how.crop = 12;
  chosen.batch_size = batch_size;
  chosen.training = training;
  return chosen;
}

std::vector<Batch> epoch_of(Loader& loader, int epoch, int first = 0) {
  loader.start_epoch(epoch, first);
  std::vector<Batch> batches;
  for (Batch batch; loader.next(batch);) batches.push_back(batch);
  return batches;
}

bool equal(const std::vector<Batch>& a, const std::vector<Batch>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].samples != b[i].samples || a[i].labels != b[i].labels || a[i].sizes != b[i].sizes) return false;
    if (a[i].images.defined() != b[i].images.defined()) return false;
    if (a[i].images.defined() &&
        (a[i].images.shape() != b[i].images.shape() || a[i].images.to_vector() != b[i].images.to_vector()))
      return false;
  }
  return true;
}

std::vector<int> order_of(const std::vector<Batch>& batches) {
  std::vector<int> order;
  for (const Batch& batch : batches) order.insert(order.end(), batch.samples.begin(), batch.samples.end());
  return order;
}

// Each number against train_input or test_input of the picture alone.
void check_content(const Pictures& pictures, const LoaderOptions& chosen, int epoch,
                   const std::vector<Batch>& batches) {
  const auto numbers = static_cast<std::size_t>(chosen.how.crop * chosen.how.crop * 3);
  for (const Batch& batch : batches) {
    REQUIRE(batch.images.defined());
    const int n = static_cast<int>(batch.samples.size());
    REQUIRE(batch.images.shape() == Shape{n, chosen.how.crop, chosen.how.crop, 3});
    REQUIRE(batch.labels.size() == batch.samples.size());
    REQUIRE(batch.sizes.size() == batch.samples.size());
    const std::vector<float> all = batch.images.to_vector();
    for (std::size_t i = 0; i < batch.samples.size(); ++i) {
      const int sample = batch.samples[i];
      const Image image = pictures.read(sample);
      CHECK(batch.labels[i] == sample % 3);
      CHECK(batch.sizes[i] == Size{image.width, image.height});
      std::vector<float> expected(numbers, std::numeric_limits<float>::quiet_NaN());
      if (chosen.training)
        train_input(image, chosen.how, chosen.seed, epoch, sample, expected.data());
      else
        test_input(image, chosen.how, expected.data());
      CHECK(std::equal(expected.begin(), expected.end(), all.begin() + static_cast<std::ptrdiff_t>(i * numbers)));
    }
  }
}

}  // namespace

TEST_CASE("test batches: in order, whole pictures") {
  const Pictures pictures(10);
  Loader loader(pictures.dataset, options(false));
  CHECK(loader.batches() == 3);
  for (int epoch = 0; epoch < 2; ++epoch) {  // the second from the cache
    const std::vector<Batch> batches = epoch_of(loader, epoch);
    REQUIRE(batches.size() == 3);
    CHECK(batches[2].samples.size() == 2);
    CHECK(order_of(batches) == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
    check_content(pictures, options(false), epoch, batches);
  }
  Batch none;
  CHECK_FALSE(loader.next(none));
  CHECK_FALSE(loader.next(none));
}

TEST_CASE("training batches: shuffled by (seed, epoch), each picture once") {
  const Pictures pictures(10);
  LoaderOptions chosen = options(true);
  Loader loader(pictures.dataset, chosen);
  std::set<std::vector<int>> orders;
  for (int epoch = 0; epoch < 3; ++epoch) {
    const std::vector<Batch> batches = epoch_of(loader, epoch);
    check_content(pictures, chosen, epoch, batches);
    std::vector<int> order = order_of(batches);
    orders.insert(order);
    std::sort(order.begin(), order.end());
    CHECK(order == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  }
  chosen.seed = 2;
  Loader other(pictures.dataset, chosen);
  orders.insert(order_of(epoch_of(other, 0)));
  orders.insert({0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(orders.size() == 5);
  CHECK(equal(epoch_of(loader, 1), epoch_of(loader, 1)));
}

TEST_CASE("each picture comes first about equally often") {
  const Pictures pictures(3);
  LoaderOptions chosen = options(true, 3);
  chosen.workers = 0;
  Loader loader(pictures.dataset, chosen);
  std::vector<int> first(3);
  Batch batch;
  for (int epoch = 0; epoch < 600; ++epoch) {
    loader.start_epoch(epoch);
    REQUIRE(loader.next(batch));
    ++first[static_cast<std::size_t>(batch.samples[0])];
  }
  for (const int count : first) CHECK(std::abs(count - 200) <= 58);  // five standard deviations
}

TEST_CASE("neither threads nor cache nor the first batch change a bit") {
  const Pictures pictures(23);
  write_text(pictures.path / "7.png", "broken");
  for (const bool training : {false, true}) {
    LoaderOptions chosen = options(training, 3);
    chosen.workers = 0;
    chosen.cache_bytes = 0;
    Loader plain(pictures.dataset, chosen);
    const std::vector<Batch> zero = epoch_of(plain, 0), one = epoch_of(plain, 1);
    CHECK_FALSE(equal(zero, one) == training);
    for (const int workers : {0, 1, 2, 5}) {
      for (const std::int64_t cache :
           {std::int64_t{0}, std::int64_t{5000}, std::int64_t{1} << 30}) {  // 5000: some of them
        CAPTURE(workers);
        CAPTURE(cache);
        chosen.workers = workers;
        chosen.cache_bytes = cache;
        Loader loader(pictures.dataset, chosen);
        CHECK(equal(epoch_of(loader, 0), zero));
        CHECK(equal(epoch_of(loader, 1), one));
        CHECK(equal(epoch_of(loader, 1, 5), {one.begin() + 5, one.end()}));
        CHECK(epoch_of(loader, 1, 8).empty());
        CHECK(equal(epoch_of(loader, 0), zero));
      }
    }
  }
}

TEST_CASE("the cache is used, and not beyond its limit") {
  const Pictures pictures(4);
  LoaderOptions chosen = options(false, 1);
  chosen.cache_bytes = 2 * 12 * 12 * 3;  // two pictures
  chosen.workers = 0;
  Loader loader(pictures.dataset, chosen);
  const std::vector<Batch> before = epoch_of(loader, 0);
  for (int i = 0; i < 4; ++i) write_text(pictures.path / (std::to_string(i) + ".png"), "gone");
  const std::vector<Batch> after = epoch_of(loader, 0);
  REQUIRE(after.size() == 4);
  CHECK(equal({after[0], after[1]}, {before[0], before[1]}));
  CHECK(after[2].samples.empty());
  CHECK(after[3].samples.empty());
  CHECK(loader.skipped() == 2);
}

TEST_CASE("broken pictures: left out, counted and named once; their batch stays a batch") {
  const Pictures pictures(9);
  write_text(pictures.path / "1.png", "no picture");
  fs::remove(pictures.path / "3.png");
  const std::string whole = read_file(pictures.path / "4.png");
  write_text(pictures.path / "4.png", whole.substr(0, whole.size() / 2));
  write_text(pictures.path / "5.png", "");
  Loader loader(pictures.dataset, options(false, 3));
  CHECK(loader.batches() == 3);
  const std::vector<Batch> batches = epoch_of(loader, 0);
  REQUIRE(batches.size() == 3);
  CHECK(batches[0].samples == std::vector<int>{0, 2});
  CHECK(batches[0].images.shape() == Shape{2, 12, 12, 3});
  CHECK(batches[1].samples.empty());
  CHECK_FALSE(batches[1].images.defined());
  CHECK(batches[2].samples == std::vector<int>{6, 7, 8});
  check_content(pictures, options(false, 3), 0, {batches[0], batches[2]});

  CHECK(loader.skipped() == 4);
  const std::vector<std::string> warnings = loader.take_warnings();
  REQUIRE(warnings.size() == 4);
  CHECK(warnings[0].find((pictures.path / "1.png").string() + ": not a JPEG, PNG") == 0);
  CHECK(warnings[1] == (pictures.path / "3.png").string() + ": no such file");
  CHECK(warnings[2].find((pictures.path / "4.png").string() + ": truncated") == 0);
  CHECK(warnings[3] == (pictures.path / "5.png").string() + ": the file is empty");
  epoch_of(loader, 1);
  CHECK(loader.skipped() == 4);
  CHECK(loader.take_warnings().empty());

  // In training the order of the others does not depend on what is broken.
  const std::vector<int> order = [] {
    const Pictures sound(9);
    Loader other(sound.dataset, options(true, 3));
    return order_of(epoch_of(other, 5));
  }();
  CHECK(order.size() == 9);
  const Pictures again(9);
  fs::remove(again.path / "2.png");
  Loader training(again.dataset, options(true, 3));
  std::vector<int> without = order;
  std::erase(without, 2);
  CHECK(order_of(epoch_of(training, 5)) == without);
}

TEST_CASE("stopping at any time") {
  const Pictures pictures(40);
  LoaderOptions chosen = options(true, 2);
  chosen.workers = 3;
  Batch batch;
  for (int taken = 0; taken < 12; ++taken) {
    Loader loader(pictures.dataset, chosen);
    loader.start_epoch(0);
    for (int i = 0; i < taken; ++i) REQUIRE(loader.next(batch));
    loader.start_epoch(1, taken);
    for (int i = 0; i < taken / 2; ++i) REQUIRE(loader.next(batch));
  }  // and here the destructor, with batches under way
  { const Loader unused(pictures.dataset, chosen); }
  {
    Loader loader(pictures.dataset, chosen);
    for (int epoch = 0; epoch < 30; ++epoch) loader.start_epoch(epoch);
    CHECK(epoch_of(loader, 30).size() == 20);
  }
}

TEST_CASE("what is refused") {
  const Pictures pictures(4);
  const auto bad = [&](auto change) {
    LoaderOptions chosen = options(true);
    change(chosen);
    CHECK_THROWS_AS(Loader(pictures.dataset, chosen), Error);
  };
  bad([](LoaderOptions& chosen) { chosen.batch_size = 0; });
  bad([](LoaderOptions& chosen) { chosen.workers = -1; });
  bad([](LoaderOptions& chosen) { chosen.cache_bytes = -1; });
  bad([](LoaderOptions& chosen) { chosen.how.crop = 17; });
  CHECK_THROWS_AS(Loader(Dataset{}, options(true)), Error);
  Loader loader(pictures.dataset, options(true));
  Batch batch;
  CHECK_THROWS_AS(loader.next(batch), Error);
  CHECK_THROWS_AS(loader.start_epoch(-1), Error);
  CHECK_THROWS_AS(loader.start_epoch(0, -1), Error);
  CHECK_THROWS_AS(loader.start_epoch(0, 2), Error);
  loader.start_epoch(0, 1);
  CHECK_FALSE(loader.next(batch));
}
