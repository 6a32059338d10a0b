// How many pictures the known data sets have.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "acol/data/dataset.h"

namespace acol {

// Says where a known set, recognised by its layout and number of classes, is not as long as published: fatal. A set
// with fewer classes than published is a part, which is no fault. Of Caltech-256, whose splits are drawn, all pictures
// are counted with "train" and with "all".
void compare_with_published(const Dataset& dataset, std::size_t boxes,
                            const std::function<void(bool fatal, const std::string& what)>& say);

}  // namespace acol
