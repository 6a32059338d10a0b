// A small drawn data set in a temporary folder, for tests that train or evaluate on files.
#pragma once

#include <string>

#include "acol/data/dataset.h"
#include "acol/data/synthetic.h"
#include "tests/program.h"

namespace acol::testing {

struct TinySet {
  TemporaryFolder folder;
  SyntheticOptions options;
  Dataset train, val;

  explicit TinySet(const SyntheticOptions& how) : options(how) {
    write_synthetic(root(), how, {});
    train = open_dataset(root(), "train");
    val = open_dataset(root(), "val");
  }
  std::string root() const { return folder / "data"; }
};

}  // namespace acol::testing
