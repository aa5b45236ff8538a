// The links of the ordered containers of weft/gc.hpp: a red-black tree whose every link is a gc::ptr.
//
//     header    parent: the root    left: the first node    right: the last          lies in the container itself
//
// Invariants (as in the literature, Cormen et al. chapter 13)
//   - A red node has no red child. Every way from a node down to where a child is missing passes as many black nodes
//     as any other.
//   - The root is black and its parent is the header. The header is red, by which it is told from the root.
//
// Why a rotation is safe while the marker walks through the tree. It hangs a subtree from a node that the marker may
// not have scanned below one that it has. The store that does so shades the subtree's root, which is all that the
// marker needs: from there it finds the rest. So no node is lost, in whichever order the links change and the marker
// looks at them.
#pragma once

#include <weft/detail/gc_ptr.hpp>
#include <weft/version.hpp>

#include <cstdint>

namespace weft::detail {

struct gc_tree_links {
    gc::ptr<gc_tree_links> parent;
    gc::ptr<gc_tree_links> left;
    gc::ptr<gc_tree_links> right;
    bool red = false;

    [[nodiscard]] static gc_tree_links* first(gc_tree_links* at) noexcept {
        while (gc_tree_links* const next = at->left.get()) at = next;
        return at;
    }
    [[nodiscard]] static gc_tree_links* last(gc_tree_links* at) noexcept {
        while (gc_tree_links* const next = at->right.get()) at = next;
        return at;
    }
    /// The node behind this one; the header behind the last.
    [[nodiscard]] gc_tree_links* next() noexcept {
        if (right != nullptr) return first(right.get());
        gc_tree_links* at = this;
        gc_tree_links* up = at->parent.get();
        while (at == up->right.get()) {
            at = up;
            up = up->parent.get();
        }
        // From the last node the loop has come to the header, whose right link is that node. Where the last node is
        // the root as well, it has gone one step too far.
        return at->right.get() != up ? up : at;
    }
    /// The node before this one; of the header, the last.
    [[nodiscard]] gc_tree_links* previous() noexcept {
        if (red && parent != nullptr && parent->parent.get() == this)
            return right.get();  // The header.
        if (left != nullptr) return last(left.get());
        gc_tree_links* at = this;
        gc_tree_links* up = at->parent.get();
        while (at == up->left.get()) {
            at = up;
            up = up->parent.get();
        }
        return up;
    }
};

/// Makes `header` that of an empty tree.
inline void gc_tree_reset(gc_tree_links& header) noexcept {
    header.red = true;
    header.parent = nullptr;
    header.left = header.right = &header;
}

/// The right child takes the place of `at`, which becomes its left child.
inline void gc_tree_rotate_left(gc_tree_links* at, gc_tree_links& header) noexcept {
    gc_tree_links* const up = at->right.get();
    gc_tree_links* const middle = up->left.get();
    gc_tree_links* const above = at->parent.get();
    at->right = middle;
    if (middle != nullptr) middle->parent = at;
    up->parent = above;
    if (above == &header) {
        header.parent = up;
    } else if (above->left.get() == at) {
        above->left = up;
    } else {
        above->right = up;
    }
    up->left = at;
    at->parent = up;
}

inline void gc_tree_rotate_right(gc_tree_links* at, gc_tree_links& header) noexcept {
    gc_tree_links* const up = at->left.get();
    gc_tree_links* const middle = up->right.get();
    gc_tree_links* const above = at->parent.get();
    at->left = middle;
    if (middle != nullptr) middle->parent = at;
    up->parent = above;
    if (above == &header) {
        header.parent = up;
    } else if (above->right.get() == at) {
        above->right = up;
    } else {
        above->left = up;
    }
    up->right = at;
    at->parent = up;
}

/// Links a new node below `above`, on its left or right, where no child is; into an empty tree with `above` the header.
inline void gc_tree_insert(gc_tree_links* node, gc_tree_links* above, bool left,
                           gc_tree_links& header) noexcept {
    node->parent = above;
    node->left = nullptr;
    node->right = nullptr;
    node->red = true;
    if (above == &header) {
        header.parent = node;
        header.left = node;
        header.right = node;
    } else if (left) {
        above->left = node;
        if (header.left.get() == above) header.left = node;
    } else {
        above->right = node;
        if (header.right.get() == above) header.right = node;
    }
    gc_tree_links* at = node;
    while (at != header.parent.get() && at->parent->red) {
        gc_tree_links* up = at->parent.get();
        gc_tree_links* const top = up->parent.get();
        if (up == top->left.get()) {
            gc_tree_links* const uncle = top->right.get();
            if (uncle != nullptr && uncle->red) {
                up->red = uncle->red = false;
                top->red = true;
                at = top;
                continue;
            }
            if (at == up->right.get()) {
                at = up;
                gc_tree_rotate_left(at, header);
                up = at->parent.get();
            }
            up->red = false;
            top->red = true;
            gc_tree_rotate_right(top, header);
        } else {
            gc_tree_links* const uncle = top->left.get();
            if (uncle != nullptr && uncle->red) {
                up->red = uncle->red = false;
                top->red = true;
                at = top;
                continue;
            }
            if (at == up->left.get()) {
                at = up;
                gc_tree_rotate_right(at, header);
                up = at->parent.get();
            }
            up->red = false;
            top->red = true;
            gc_tree_rotate_left(top, header);
        }
    }
    header.parent->red = false;
}

/// Puts `by`, which may be null, where `node` hangs.
inline void gc_tree_replace(gc_tree_links* node, gc_tree_links* by,
                            gc_tree_links& header) noexcept {
    gc_tree_links* const above = node->parent.get();
    if (above == &header) {
        header.parent = by;
    } else if (above->left.get() == node) {
        above->left = by;
    } else {
        above->right = by;
    }
    if (by != nullptr) by->parent = above;
}

/// Takes a node out. Its own links are left as they are.
inline void gc_tree_erase(gc_tree_links* node, gc_tree_links& header) noexcept {
    if (header.left.get() == node) {
        header.left =
            node->right != nullptr ? gc_tree_links::first(node->right.get()) : node->parent.get();
    }
    if (header.right.get() == node) {
        header.right =
            node->left != nullptr ? gc_tree_links::last(node->left.get()) : node->parent.get();
    }
    // `at` comes to where a black node may be missing now; it may be null, so its parent is kept.
    gc_tree_links* at = nullptr;
    gc_tree_links* above = nullptr;
    bool lost_black = !node->red;
    if (node->left == nullptr || node->right == nullptr) {
        at = node->left == nullptr ? node->right.get() : node->left.get();
        above = node->parent.get();
        gc_tree_replace(node, at, header);
    } else {
        gc_tree_links* const next = gc_tree_links::first(node->right.get());
        lost_black = !next->red;
        at = next->right.get();
        if (next->parent.get() == node) {
            above = next;
        } else {
            above = next->parent.get();
            gc_tree_replace(next, at, header);
            next->right = node->right.get();
            next->right->parent = next;
        }
        gc_tree_replace(node, next, header);
        next->left = node->left.get();
        next->left->parent = next;
        next->red = node->red;
    }
    if (!lost_black) return;
    while (at != header.parent.get() && (at == nullptr || !at->red)) {
        if (at == above->left.get()) {
            gc_tree_links* other = above->right.get();
            if (other->red) {
                other->red = false;
                above->red = true;
                gc_tree_rotate_left(above, header);
                other = above->right.get();
            }
            const bool near_black = other->left == nullptr || !other->left->red;
            const bool far_black = other->right == nullptr || !other->right->red;
            if (near_black && far_black) {
                other->red = true;
                at = above;
                above = above->parent.get();
                continue;
            }
            if (far_black) {
                other->left->red = false;
                other->red = true;
                gc_tree_rotate_right(other, header);
                other = above->right.get();
            }
            other->red = above->red;
            above->red = false;
            if (other->right != nullptr) other->right->red = false;
            gc_tree_rotate_left(above, header);
        } else {
            gc_tree_links* other = above->left.get();
            if (other->red) {
                other->red = false;
                above->red = true;
                gc_tree_rotate_right(above, header);
                other = above->left.get();
            }
            const bool near_black = other->right == nullptr || !other->right->red;
            const bool far_black = other->left == nullptr || !other->left->red;
            if (near_black && far_black) {
                other->red = true;
                at = above;
                above = above->parent.get();
                continue;
            }
            if (far_black) {
                other->right->red = false;
                other->red = true;
                gc_tree_rotate_left(other, header);
                other = above->left.get();
            }
            other->red = above->red;
            above->red = false;
            if (other->left != nullptr) other->left->red = false;
            gc_tree_rotate_right(above, header);
        }
        break;
    }
    if (at != nullptr) at->red = false;
}

}  // namespace weft::detail
