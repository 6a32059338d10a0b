// The text files that come with ILSVRC CLS-LOC, one function each. They all read a file in one pass.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "acol/data/box.h"

namespace acol {

// A WordNet id: n and eight digits.
bool is_wnid(std::string_view text);

// The number of a validation picture: 293 of "ILSVRC2012_val_00000293"; 0 if it is called otherwise.
int validation_number(std::string_view name);

struct Synset {
  std::string name;   // the first of its names; the WNID if it has none
  int ilsvrc_id = 0;  // 1 .. 1000 in the development kit's own order; 0 if the file does not tell
};

// WNID -> synset. LOC_synset_mapping.txt: `n01440764 tench, Tinca tinca`; the development kit's map_clsloc.txt:
// `n02119789 1 kit_fox`. Sorted by WNID, as the labels are everywhere but in the development kit.
// Error with file and line: no WNID first, a WNID twice, a name that is not UTF-8.
std::map<std::string, Synset> read_synset_mapping(const std::filesystem::path& file);
std::map<std::string, Synset> read_map_clsloc(const std::filesystem::path& file);

struct NamedBox {
  std::string name;  // a WNID; in XML files now and then a word
  Box box;
};

// LOC_train_solution.csv, LOC_val_solution.csv: a header, then `image,WNID x0 y0 x1 y1 WNID x0 ..`, the image without
// ending, corners inclusive with origin 0. Calls use(line number, image, its boxes) for each line.
// Error with file and line: another header, groups that are not a WNID and four whole numbers, no group.
void read_solution(const std::filesystem::path& file,
                   const std::function<void(std::size_t, std::string_view, const std::vector<NamedBox>&)>& use);

// Validation labels where there are no boxes; WNIDs by picture name without ending. By the file's name:
//     imagenet_2012_validation_synset_labels.txt     line k: the WNID of ILSVRC2012_val_0000000k
//     *validation_ground_truth.txt                   line k: its ILSVRC id; `synsets` must have them
//     any other                                      `name label` or `name,label`: a WNID, or a number from 0 in the
//                                                    order of `synsets` (Caffe's val.txt)
// Error with file and line: anything else, a name twice; `synsets` without the ids or too few of them.
std::map<std::string, std::string, std::less<>> read_validation_labels(const std::filesystem::path& file,
                                                                       const std::map<std::string, Synset>& synsets);

// ILSVRC201x_clsloc_validation_blacklist.txt: the number of a validation picture, 1 .. 50,000, a line.
// Error with file and line: anything else, a number twice.
std::unordered_set<int> read_blacklist(const std::filesystem::path& file);

}  // namespace acol
