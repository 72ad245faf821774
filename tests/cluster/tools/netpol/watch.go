// Watching Pods, Namespaces and NetworkPolicies. Only what decides about packets is kept, and only a change of that wakes
// the agent. After a lost connection everything is listed anew.
package main

import (
	"context"
	"reflect"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// watches holds the three kinds. changed has room for one signal: more would say the same.
type watches struct {
	pods       *store[*pod]
	namespaces *store[labels.Set]
	policies   *store[*networkingv1.NetworkPolicy]
	changed    chan struct{}
}

func watch(ctx context.Context, config *rest.Config, node string) (*watches, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, networkingv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"})
	codecs := serializer.NewCodecFactory(scheme).WithoutConversion()
	core, err := client(config, "/api", corev1.SchemeGroupVersion, codecs)
	if err != nil {
		return nil, err
	}
	networking, err := client(config, "/apis", networkingv1.SchemeGroupVersion, codecs)
	if err != nil {
		return nil, err
	}
	w := &watches{changed: make(chan struct{}, 1)}
	w.pods = newStore(w.changed, func(object *corev1.Pod) (*pod, bool) {
		result := podOf(object, node)
		return result, result != nil
	})
	w.namespaces = newStore(w.changed, func(object *corev1.Namespace) (labels.Set, bool) {
		return object.Labels, true
	})
	w.policies = newStore(w.changed, func(object *networkingv1.NetworkPolicy) (*networkingv1.NetworkPolicy, bool) {
		return &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Namespace: object.Namespace, Name: object.Name}, Spec: object.Spec,
		}, true
	})
	follow(ctx, core, "pods", &corev1.Pod{}, w.pods)
	follow(ctx, core, "namespaces", &corev1.Namespace{}, w.namespaces)
	follow(ctx, networking, "networkpolicies", &networkingv1.NetworkPolicy{}, w.policies)
	return w, nil
}

func client(config *rest.Config, path string, version schema.GroupVersion, codecs runtime.NegotiatedSerializer) (rest.Interface, error) {
	own := rest.CopyConfig(config)
	own.APIPath, own.GroupVersion, own.NegotiatedSerializer = path, &version, codecs
	own.ContentType = runtime.ContentTypeProtobuf
	return rest.RESTClientFor(own)
}

// follow tries again after two seconds at most: the client's own half a minute would be half a minute of old rules.
func follow(ctx context.Context, client rest.Interface, resource string, kind runtime.Object, into cache.ReflectorStore) {
	source := cache.NewListWatchFromClient(client, resource, metav1.NamespaceAll, fields.Everything())
	backoff := &wait.Backoff{Duration: 100 * time.Millisecond, Factor: 1.5, Jitter: 0.1, Steps: 100, Cap: 2 * time.Second}
	reflector := cache.NewReflectorWithOptions(source, kind, into, cache.ReflectorOptions{Name: resource, Backoff: backoff})
	go reflector.RunWithContext(ctx)
}

// snapshot is false until all three kinds were listed once: rules made of a part would open or close too much.
func (w *watches) snapshot() (*cluster, bool) {
	pods, podsListed := w.pods.all()
	namespaces, namespacesListed := w.namespaces.all()
	policies, policiesListed := w.policies.all()
	result := &cluster{namespaces: namespaces}
	for _, each := range pods {
		result.pods = append(result.pods, each)
	}
	for _, each := range policies {
		result.policies = append(result.policies, each)
	}
	result.sort()
	return result, podsListed && namespacesListed && policiesListed
}

// store is what a reflector fills: the reduced objects by namespace and name.
type store[T any] struct {
	lock    sync.Mutex
	items   map[string]T
	listed  bool
	reduce  func(any) (T, bool)
	changed chan struct{}
}

func newStore[O, T any](changed chan struct{}, reduce func(O) (T, bool)) *store[T] {
	return &store[T]{items: map[string]T{}, changed: changed, reduce: func(object any) (T, bool) { return reduce(object.(O)) }}
}

func (s *store[T]) all() (map[string]T, bool) {
	s.lock.Lock()
	defer s.lock.Unlock()
	result := make(map[string]T, len(s.items))
	for key, each := range s.items {
		result[key] = each
	}
	return result, s.listed
}

func (s *store[T]) Add(object any) error    { return s.put(object, true) }
func (s *store[T]) Update(object any) error { return s.put(object, true) }
func (s *store[T]) Delete(object any) error { return s.put(object, false) }
func (s *store[T]) Resync() error           { return nil }

func (s *store[T]) put(object any, present bool) error {
	key, err := cache.MetaNamespaceKeyFunc(object)
	if err != nil {
		return err
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	before, was := s.items[key]
	after, kept := s.reduce(object)
	if present && kept {
		s.items[key] = after
	} else {
		delete(s.items, key)
	}
	if was != (present && kept) || (was && !reflect.DeepEqual(before, after)) {
		wake(s.changed)
	}
	return nil
}

func (s *store[T]) Replace(objects []any, _ string) error {
	items := make(map[string]T, len(objects))
	for _, object := range objects {
		key, err := cache.MetaNamespaceKeyFunc(object)
		if err != nil {
			return err
		}
		if reduced, kept := s.reduce(object); kept {
			items[key] = reduced
		}
	}
	s.lock.Lock()
	defer s.lock.Unlock()
	s.items, s.listed = items, true
	wake(s.changed)
	return nil
}

// wake calls the agent unless it has been called already.
func wake(changed chan<- struct{}) {
	select {
	case changed <- struct{}{}:
	default:
	}
}
