//! A piece of graph theory for the search for deadlocks: who leads to whom, and nowhere else.

/// The strongly connected components of a graph from which no edge leads out.
pub(super) fn closed(leads_to: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const UNSEEN: usize = usize::MAX;
    let count = leads_to.len();
    let (mut order, mut low) = (vec![UNSEEN; count], vec![UNSEEN; count]);
    // Whether a node has been given to a component, and whether an edge leads from it or from below it to another one.
    let (mut is_done, mut is_open) = (vec![false; count], vec![false; count]);
    let (mut path, mut pending, mut found) = (Vec::new(), Vec::new(), Vec::new());
    let mut next = 0;
    for start in 0..count {
        if order[start] == UNSEEN {
            path.push((start, 0));
        }
        while let Some((node, edge)) = path.pop() {
            if edge == 0 {
                (order[node], low[node]) = (next, next);
                next += 1;
                pending.push(node);
            } else {
                let below = leads_to[node][edge - 1];
                if is_done[below] {
                    is_open[node] = true;
                } else {
                    low[node] = low[node].min(low[below]);
                    is_open[node] |= is_open[below];
                }
            }
            if let Some(&below) = leads_to[node].get(edge) {
                path.push((node, edge + 1));
                if order[below] == UNSEEN {
                    path.push((below, 0));
                }
            } else if low[node] == order[node] {
                let from = pending.iter().rposition(|&at| at == node).unwrap_or(0);
                let group = pending.split_off(from);
                group.iter().for_each(|&at| is_done[at] = true);
                if !is_open[node] {
                    found.push(group);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::closed;

    fn found(leads_to: &[&[usize]]) -> Vec<Vec<usize>> {
        let edges: Vec<Vec<usize>> = leads_to.iter().map(|to| to.to_vec()).collect();
        let mut groups = closed(&edges);
        groups.iter_mut().for_each(|group| group.sort_unstable());
        groups.sort();
        groups
    }

    #[test]
    fn closed_groups_are_found() {
        assert_eq!(found(&[&[]]), [[0]]);
        assert_eq!(found(&[&[0]]), [[0]]);
        // A ring, and somebody behind it.
        assert_eq!(found(&[&[1], &[2], &[0], &[0]]), [[0, 1, 2]]);
        // Two rings, one of which leads to the other.
        assert_eq!(found(&[&[1], &[0, 2], &[3], &[2]]), [[2, 3]]);
        // Two that lead nowhere, and one that leads to both.
        assert_eq!(found(&[&[1, 2], &[], &[]]), [[1], [2]]);
        // Edges back into the middle of a path.
        assert_eq!(found(&[&[1], &[2], &[1, 3], &[4], &[3]]), [[3, 4]]);
        assert_eq!(found(&[&[1, 3], &[2], &[0], &[1]]), [[0, 1, 2, 3]]);
    }

    #[test]
    fn a_component_is_closed_just_when_what_it_reaches_reaches_it() {
        let mut state = 7_u64;
        for _ in 0..2_000 {
            let mut edges = vec![Vec::new(); 7];
            for _ in 0..9 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
                edges[(state >> 33) as usize % 7].push((state >> 43) as usize % 7);
            }
            let reach = |from: usize| {
                let (mut seen, mut rest) = (vec![false; 7], vec![from]);
                while let Some(at) = rest.pop() {
                    if !std::mem::replace(&mut seen[at], true) {
                        rest.extend(&edges[at]);
                    }
                }
                seen
            };
            let in_closed: Vec<usize> = (0..7)
                .filter(|&at| (0..7).all(|other| !reach(at)[other] || reach(other)[at]))
                .collect();
            let mut flat = closed(&edges).concat();
            flat.sort_unstable();
            assert_eq!(flat, in_closed, "{edges:?}");
        }
    }
}
