// Another classifier's answers in a text file.
#include <doctest/doctest.h>

#include "acol/evaluate/guess_labels.h"
#include "tensor/check.h"
#include "tests/program.h"

using namespace acol;

namespace {

Dataset data() {
  Dataset set;
  set.class_ids = {"n02", "n01", "7", "cat"};
  set.class_names = set.class_ids;
  for (const char* id : {"val/a.png", "val/b.jpg", "val/c.jpg", "val/c.png"})
    set.samples.push_back({.id = id, .label = 0});
  return set;
}

struct Written {
  TemporaryFolder folder;
  std::string path = folder / "labels.csv";
  explicit Written(const std::string& text) { write(path, text); }
  std::vector<std::vector<int>> read() const { return read_guess_labels(path, data()); }
};

// The message says all of `parts`, and is one line.
void check_error(const std::string& text, const std::vector<std::string>& parts) {
  const Written file(text);
  std::string message;
  try {
    file.read();
  } catch (const Error& error) {
    message = error.what();
  }
  CAPTURE(text);
  CAPTURE(message);
  CHECK(contains(message, "labels.csv"));
  CHECK_FALSE(contains(message, "\n"));
  for (const std::string& part : parts) CHECK(contains(message, part));
}

const std::string good = "val/a.png,n01,cat\nval/b.jpg,0\nval/c.jpg,7\nval/c.png,3,n02,n01,7\n";

}  // namespace

TEST_CASE("ids of classes, or their numbers where no class has such an id; pictures in any order") {
  const std::vector<std::vector<int>> want{{1, 3}, {0}, {2}, {3, 0, 1, 2}};
  CHECK(Written(good).read() == want);
  CHECK(Written("\n val/c.png , 3 ,n02,n01, 7\r\nval/c.jpg,7\n\nother/x.png,whatever\nval/b,0\nval/a,n01,cat").read() ==
        want);
}

TEST_CASE("bad lines are named with their number") {
  check_error(good + "val/b.jpg,1\n", {":5:", "val/b.jpg", "line 2"});
  check_error("val/a.png\n", {":1:", "image id,class"});
  check_error("val/a.png,\n", {":1:"});
  check_error("\nval/a.png,n01,dog\n", {":2:", "'dog'", "4"});
  check_error("val/a.png,4\n", {":1:", "'4'"});
  check_error("val/a.png,-1\n", {":1:", "'-1'"});
  check_error("val/a.png,1.5\n", {":1:", "'1.5'"});
  check_error("val/a.png,n01,1\n", {":1:", "twice"});
  check_error("val/a.png,n01,\n", {":1:", "''"});
  check_error("val/c,n01\n", {":1:", "val/c", "ending"});
}

TEST_CASE("pictures without a line are counted, and the first is named") {
  check_error("val/a.png,0\nval/c.png,1\n", {"2 of 4", "val/b.jpg"});
  check_error("", {"4 of 4", "val/a.png"});
  CHECK_THROWS_WITH_AS(read_guess_labels("/no/such/labels.csv", data()), doctest::Contains("/no/such/labels.csv"),
                       Error);
}
