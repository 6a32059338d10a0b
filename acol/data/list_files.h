// Lists of pictures with labels, as code for ACoL has them. A line is one of
//
//     001.Black_footed_Albatross/x.jpg;0      xiaomengyc/ACoL, datalist/CUB
//     ILSVRC2012_val_00000001.JPEG 489        xiaomengyc/ACoL, datalist/; halbielee/ACoL_pytorch, ILSVRC
//     12 001.Black_footed_Albatross/x.jpg 0   halbielee/ACoL_pytorch, CUB: a number of the picture first
//
// Labels count from 0. A name without a dot gets ".jpg". There are no boxes. The lists are called <split>_list.txt or
// <split>.txt with the splits train, val, test; they lie in the folder itself, or in datalist/ or list/ in it. "val"
// and "test" mean the same where only one of them is there.
//
// The pictures are looked for, by the first line of the list, in the image root's <split>/, images/, and itself.
//
// Class ids are made of folders or numbers as in wsol_lists.h. One thing to know: labels of ILSVRC in xiaomengyc/ACoL
// are ILSVRC's own ids less one (the first validation picture is 489), while torchvision, wsolevaluation and everything
// else here sort classes by WordNet id (it is 65). A list in the first order gets "1" to "1000", ILSVRC's ids, as class
// ids, so that it is not taken for the other.
#pragma once

#include "acol/data/dataset.h"

namespace acol {

// True if there is such a list, and its first line is of one of the three forms and names a picture by its ending.
bool is_list_layout(const std::filesystem::path& root);

// The list that a split is read from; empty if there is none.
std::filesystem::path list_file(const std::filesystem::path& root, const std::string& split);

// split: "train", "val", "test" or "all" (train, then val or test). image_root empty: root.
// Error, with file and line: a line that is not as above (several labels, for one), a path that is absolute or leads
// out by "..", a path twice in a list. Pictures that are not where the list says are not looked for; if the first one
// is in none of the folders, a note says so.
// faults not null: each Error about a line goes there instead, and the line is passed over.
Dataset open_list_files(const std::filesystem::path& root, const std::string& split,
                        const std::filesystem::path& image_root = {}, std::vector<std::string>* faults = nullptr);

}  // namespace acol
