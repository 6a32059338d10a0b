// From picture to network input.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "acol/data/resize.h"
#include "acol/data/transform.h"
#include "tensor/check.h"

using namespace acol;

namespace {

constexpr float junk = std::numeric_limits<float>::quiet_NaN();

// Every pixel tells where it was: red = x, green = y.
Image coordinates(int width, int height) {
  Image image{width, height, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (const int value : {x, y, 7}) image.rgb.push_back(static_cast<std::uint8_t>(value));
  return image;
}

Preprocessing raw(int resize, int crop) {  // floats are the bytes
  Preprocessing how;
  how.resize = resize;
  how.crop = crop;
  how.mean = {0, 0, 0};
  how.std = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f};
  return how;
}

std::vector<float> space(const Preprocessing& how) {
  return std::vector<float>(static_cast<std::size_t>(how.crop * how.crop * 3), junk);
}

}  // namespace

TEST_CASE("normalise: formula, order, mirror") {
  Preprocessing how;
  how.resize = how.crop = 2;
  const Image image{3, 2, {0, 51, 255, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150}};
  std::vector<float> out = space(how);
  normalise(image, how, 1, 0, false, out.data());
  const int expected[] = {10, 20, 30, 40, 50, 60, 100, 110, 120, 130, 140, 150};
  const int mirrored[] = {40, 50, 60, 10, 20, 30, 130, 140, 150, 100, 110, 120};
  const double mean[] = {0.485, 0.456, 0.406}, std[] = {0.229, 0.224, 0.225};
  for (int i = 0; i < 12; ++i)
    CHECK(std::abs(out[static_cast<std::size_t>(i)] - (expected[i] / 255.0 - mean[i % 3]) / std[i % 3]) <= 1e-6);
  out = space(how);
  normalise(image, how, 1, 0, true, out.data());
  for (int i = 0; i < 12; ++i)
    CHECK(std::abs(out[static_cast<std::size_t>(i)] - (mirrored[i] / 255.0 - mean[i % 3]) / std[i % 3]) <= 1e-6);
  CHECK_THROWS_AS(normalise(image, how, 2, 0, false, out.data()), Error);
  CHECK_THROWS_AS(normalise(image, how, 0, 1, false, out.data()), Error);
  CHECK_THROWS_AS(normalise(image, how, -1, 0, false, out.data()), Error);
}

TEST_CASE("test input: the whole picture, warped") {
  const Preprocessing how = raw(40, 32);
  const Image image = coordinates(90, 50);
  std::vector<float> out = space(how);
  test_input(image, how, out.data());
  const Image warped = resize_bilinear(image, 32, 32);
  for (std::size_t i = 0; i < out.size(); ++i) CHECK(std::abs(out[i] - static_cast<float>(warped.rgb[i])) <= 1e-3f);
  CHECK(out[0] <= 2);                              // the left edge is in it
  CHECK(out[std::size_t{31} * 3] >= 87);           // and the right
  CHECK(out[std::size_t{31} * 32 * 3 + 1] >= 47);  // and the lower
}

TEST_CASE("resize_for: shorter side or warp") {
  Preprocessing how = raw(32, 24);
  CHECK(resize_for(coordinates(80, 40), how) == resize_bilinear(coordinates(80, 40), 64, 32));
  how.resize_mode = ResizeMode::warp;
  CHECK(resize_for(coordinates(80, 40), how) == resize_bilinear(coordinates(80, 40), 32, 32));
}

TEST_CASE("training input: a crop of the resized picture, mirrored half the time, drawn from (seed, epoch, sample)") {
  const Preprocessing how = raw(40, 32);
  const Image image = coordinates(48, 40);  // already of the right size
  std::set<int> lefts, tops;
  int mirrored = 0;
  constexpr int draws = 600;
  for (int sample = 0; sample < draws; ++sample) {
    std::vector<float> out = space(how), again = space(how);
    train_input(image, how, 3, 1, sample, out.data());
    train_input(image, how, 3, 1, sample, again.data());
    REQUIRE(out == again);
    const bool mirror = out[0] > out[3];
    mirrored += mirror;
    const auto left = static_cast<int>(std::lround(mirror ? out[std::size_t{31} * 3] : out[0]));
    const auto top = static_cast<int>(std::lround(out[1]));
    lefts.insert(left);
    tops.insert(top);
    bool whole = true;
    for (int y = 0; y < 32; ++y)
      for (int x = 0; x < 32; ++x) {
        const float* at = &out[static_cast<std::size_t>((y * 32 + x) * 3)];
        whole = whole && std::abs(at[0] - static_cast<float>(left + (mirror ? 31 - x : x))) < 0.01f &&
                std::abs(at[1] - static_cast<float>(top + y)) < 0.01f;
      }
    REQUIRE(whole);
  }
  CHECK(lefts.size() == 17);  // 48 - 32 + 1: each place occurs, both ends too
  CHECK(*lefts.begin() == 0);
  CHECK(*lefts.rbegin() == 16);
  CHECK(tops.size() == 9);
  CHECK(std::abs(mirrored - draws / 2) <= 62);  // five standard deviations

  std::vector<float> a = space(how), b = space(how), c = space(how), d = space(how);
  int equal = 0;
  for (int sample = 0; sample < 20; ++sample) {
    train_input(image, how, 3, 1, sample, a.data());
    train_input(image, how, 4, 1, sample, b.data());
    train_input(image, how, 3, 2, sample, c.data());
    train_input(image, how, 3, 1, sample + 100, d.data());
    equal += (a == b) + (a == c) + (a == d);
  }
  CHECK(equal <= 6);
}

TEST_CASE("without flip the crops stay where they are") {
  Preprocessing how = raw(40, 32), plain = how;
  plain.flip = false;
  const Image image = coordinates(48, 40);
  for (int sample = 0; sample < 30; ++sample) {
    std::vector<float> a = space(how), b = space(how);
    train_input(image, how, 1, 0, sample, a.data());
    train_input(image, plain, 1, 0, sample, b.data());
    CHECK(b[0] < b[3]);
    CHECK(std::min(a[0], a[std::size_t{31} * 3]) == b[0]);
    CHECK(a[1] == b[1]);
  }
}

TEST_CASE("train_input is resize_for and train_crop") {
  const Preprocessing how = raw(40, 32);
  const Image image = coordinates(100, 70);
  std::vector<float> a = space(how), b = space(how);
  train_input(image, how, 9, 2, 5, a.data());
  train_crop(resize_for(image, how), how, 9, 2, 5, b.data());
  CHECK(a == b);
  CHECK_THROWS_AS(train_crop(coordinates(40, 31), how, 9, 2, 5, b.data()), Error);
}

TEST_CASE("validate") {
  CHECK_NOTHROW(validate(Preprocessing{}));
  const auto bad = [](auto change) {
    Preprocessing how;
    change(how);
    CHECK_THROWS_AS(validate(how), Error);
  };
  bad([](Preprocessing& how) { how.crop = 0; });
  bad([](Preprocessing& how) { how.resize = 223; });
  bad([](Preprocessing& how) { how.resize = 1 << 20; });
  bad([](Preprocessing& how) { how.std[1] = 0; });
  bad([](Preprocessing& how) { how.std[2] = junk; });
  bad([](Preprocessing& how) { how.mean[0] = std::numeric_limits<float>::infinity(); });
}

TEST_CASE("centre crop: half a pixel goes to the even side, as Python's round") {
  const int expected[] = {0, 0, 1, 2, 2, 2, 3, 4, 4, 4};  // round(rest / 2) for rests from 0
  for (int rest = 0; rest < 10; ++rest) {
    CAPTURE(rest);
    CHECK(centre_crop(32 + rest, 32, 32) == CropPlace{expected[rest], 0, false});
    CHECK(centre_crop(32, 32 + rest, 32) == CropPlace{0, expected[rest], false});
  }
  CHECK_THROWS_AS(centre_crop(31, 40, 32), Error);
  CHECK_THROWS_AS(centre_crop(40, 31, 32), Error);
}

TEST_CASE("ten crops: corners and middle, then those of the mirrored picture") {
  const std::array<CropPlace, 10> places = ten_crops(43, 40, 32);
  const std::array<CropPlace, 10> want{{{0, 0, false},
                                        {11, 0, false},
                                        {0, 8, false},
                                        {11, 8, false},
                                        {6, 4, false},
                                        {11, 0, true},
                                        {0, 0, true},
                                        {11, 8, true},
                                        {0, 8, true},
                                        {5, 4, true}}};
  CHECK(places == want);
  // The other five are the first five of the mirrored picture.
  const Preprocessing how = raw(40, 32);
  const Image image = coordinates(43, 40);
  Image mirrored = image;
  for (int y = 0; y < 40; ++y)
    for (int x = 0; x < 43; ++x)
      for (int c = 0; c < 3; ++c)
        mirrored.rgb[static_cast<std::size_t>((y * 43 + x) * 3 + c)] =
            image.rgb[static_cast<std::size_t>((y * 43 + 42 - x) * 3 + c)];
  std::vector<float> a = space(how), b = space(how);
  for (std::size_t i = 0; i < 5; ++i) {
    normalise(image, how, places[i + 5].x, places[i + 5].y, true, a.data());
    normalise(mirrored, how, places[i].x, places[i].y, false, b.data());
    CHECK(a == b);
  }
}

TEST_CASE("test input: the middle of the picture, its shorter side resized, or warped") {
  const Preprocessing how = raw(40, 32);
  const Image image = coordinates(100, 50);
  std::vector<float> out = space(how), want = space(how);
  test_input(image, how, out.data(), TestInput::centre);
  normalise(resize_bilinear(image, 80, 40), how, 24, 4, false, want.data());
  CHECK(out == want);
  test_input(image, how, out.data(), TestInput::centre_warp);
  normalise(resize_bilinear(image, 40, 40), how, 4, 4, false, want.data());
  CHECK(out == want);
  for (const TestInput input : {TestInput::warp, TestInput::centre, TestInput::centre_warp})
    CHECK(parse_test_input(name_of(input)) == input);
  CHECK_THROWS_WITH_AS(parse_test_input("center"), doctest::Contains("center"), Error);
}

TEST_CASE("the seen part in pixels of any grid") {
  const Preprocessing how = raw(40, 32);
  CHECK(seen_part(100, 50, how, TestInput::warp).whole());
  CHECK(seen_part(100, 50, how, TestInput::warp).pixels(7, 5) == Box{0, 0, 6, 4});
  const SeenPart part = seen_part(100, 50, how, TestInput::centre);  // 24..56 of 80, 4..36 of 40
  CHECK_FALSE(part.whole());
  CHECK(part.pixels(100, 50) == Box{30, 5, 69, 44});
  CHECK(part.pixels(10, 10) == Box{3, 1, 6, 8});
  CHECK(part.pixels(1, 1) == Box{0, 0, 0, 0});
  CHECK(seen_part(100, 50, how, TestInput::centre_warp).pixels(100, 50) == Box{10, 5, 89, 44});
  // A crop as large as the resize: the whole shorter side, and of the warped picture all.
  CHECK(seen_part(50, 100, raw(32, 32), TestInput::centre).pixels(50, 100) == Box{0, 25, 49, 74});
  CHECK(seen_part(50, 100, raw(32, 32), TestInput::centre_warp).whole());
}
