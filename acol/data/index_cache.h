// The list of a large data set, kept between runs: reading 1.28 million names off a cold disk takes a minute.
//
// One file a (layout, root, split), in $ACOL_CACHE, else $XDG_CACHE_HOME/acol, else ~/.cache/acol; never beside the
// data, which would change the very folders that are watched. ACOL_CACHE=off: no cache. Files may be deleted at any
// time.
//
// A kept list holds the state (inode, size, times of content and of inode, to the nanosecond) of every folder below the
// data set and of every file in them that is no picture: names can only come or go with a change of their folder, boxes
// and labels with a change of a list. It is used only if all are as they were; where one is not, and where the file is
// damaged or of another version, the data set is read anew. So a thousand folders are looked at, not a million files
// (but every XML file, where boxes come from those). What the content of a picture is, no list depends on.
#pragma once

#include <cstddef>
#include <functional>

#include "acol/data/dataset.h"

namespace acol {

struct IndexCache {
  std::filesystem::path folder;      // empty: no cache
  std::size_t min_samples = 20'000;  // smaller lists are read in a moment
  // Changes younger than this are not kept: a second one could come within the clock's tick and look the same.
  double settle_seconds = 2;
  static IndexCache from_environment();
};

// What a list was read from. Folders with all below them; in `places`, which need not exist, only what lies directly in
// them and is no picture.
struct IndexSources {
  std::vector<std::filesystem::path> trees, places;
};

// The kept list if there is one that holds, else open()'s, which is kept then. A cache that cannot be written is no
// error. `from_cache`, if not null, tells which it was.
Dataset cached_index(const IndexCache& cache, const std::string& layout, const std::filesystem::path& root,
                     const std::string& split, const IndexSources& sources, const std::function<Dataset()>& open,
                     bool* from_cache = nullptr);

}  // namespace acol
