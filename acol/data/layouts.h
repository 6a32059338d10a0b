// The table of data set layouts: what open_dataset() knows, in the order in which it looks.
#pragma once

#include <string>
#include <vector>

#include "acol/data/dataset.h"
#include "acol/data/index_cache.h"

namespace acol {

struct Layout {
  const char* name;      // for --dataset
  const char* what;      // a line for people
  const char* known_by;  // what `is` looks for
  bool (*is)(const std::filesystem::path& root);
  Dataset (*open)(const std::filesystem::path& root, const std::string& split);
  // The splits that there are, training first, by a look at folders and at names of lists. Empty: none is seen.
  std::vector<std::string> (*splits)(const std::filesystem::path& root);
  // What the list is made of, where it can be long enough to be kept (index_cache.h); else nullptr.
  IndexSources (*sources)(const std::filesystem::path& root);
};

const std::vector<Layout>& layouts();

// "auto": the first whose `is` holds. Error naming all layouts: there is none, or the name is not known. Error: the
// root is no folder, or empty.
const Layout& layout_of(const std::filesystem::path& root, const std::string& name);

// "folder, tiny-imagenet, ..."
std::string layout_names();

}  // namespace acol
