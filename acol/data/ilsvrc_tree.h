// Where things are in a tree of ILSVRC CLS-LOC, however it was unpacked; the forms are described in ilsvrc.h.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace acol {

struct IlsvrcTree {
  std::filesystem::path pictures;             // holds train/ and val/
  std::vector<std::filesystem::path> places;  // where lists may be
  std::vector<std::filesystem::path> boxes;   // where train/ and val/ with XML files may be
  bool kaggle = false;                        // Data/CLS-LOC or the like

  // The first of `names` that is in one of the places; empty if none is.
  std::filesystem::path find(const std::vector<std::string>& names) const;
};

// Looks for a dozen folders and opens nothing.
IlsvrcTree ilsvrc_tree(const std::filesystem::path& root);

// before + "2012" + after and so on to 2017: the kits of all years hold the same lists for this set.
std::vector<std::string> names_by_year(const std::string& before, const std::string& after);

}  // namespace acol
