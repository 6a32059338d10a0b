// Where the recipes are.
#pragma once

#include <filesystem>
#include <string>

#include "acol/train/recipe.h"

namespace acol {

// share/acol/recipes beside the installed program's bin/, else recipes/ of the source tree it was built from. Error
// naming both if neither is there.
std::filesystem::path recipe_folder();

// A file, or the name of one in `folder` (empty: recipe_folder()). Error, naming the folder, if there is none.
Recipe find_recipe(const std::string& name_or_path, const std::filesystem::path& folder = {});

// UsageError: the recipe starts from weights, and this path is empty.
void check_weights_given(const Recipe& recipe, const std::filesystem::path& weights);

}  // namespace acol
